// Who is connected, and what they say they do. The server does not tell of changes: the page asks
// while it can be seen, once a minute, and when a message comes from somebody who was away.

import { call, everyPage, isFinal } from "./api.js";
import { latest } from "./attempt.js";
import { make } from "./dom.js";
import { moment } from "./time.js";
import { say } from "./words.js";

/**
 * @typedef {object} Here
 * @property {string} user
 * @property {string} since
 * @property {string} [status_text]
 * @property {boolean} [invisible] Only the reader is shown to be.
 */

const EVERY = 60_000;
/** The server is not asked again sooner than this. */
const SOONEST = 5_000;

/** Tells of `change`. */
export class Presence extends EventTarget {
  /** @type {Map<string, Here>} */ #here = new Map();
  #known = "";
  #askedAt = -Infinity;
  #isOver = false;
  /** @type {number | undefined} */ #timer;
  #signal;

  /**
   * @param {import("./inbox.js").Inbox} inbox
   * @param {AbortSignal} signal Ends it.
   */
  constructor(inbox, signal) {
    super();
    this.#signal = signal;
    const every = window.setInterval(this.refresh, EVERY);
    signal.addEventListener("abort", () => {
      window.clearInterval(every);
      window.clearTimeout(this.#timer);
    });
    document.addEventListener("visibilitychange", this.refresh, { signal });
    window.addEventListener("focus", this.refresh, { signal });
    inbox.addEventListener("back", this.refresh, { signal });
    inbox.addEventListener(
      "message",
      (event) => {
        const { from } = /** @type {CustomEvent<import("./api.js").Message>} */ (event).detail;
        if (!this.#here.has(from)) this.refresh();
      },
      { signal },
    );
  }

  /** @param {string} user */
  of(user) {
    return this.#here.get(user);
  }

  /** Asks, if somebody can see the page. */
  refresh = () => {
    if (document.visibilityState !== "visible" || this.#isOver || this.#signal.aborted) return;
    const wait = Math.max(0, this.#askedAt + SOONEST - performance.now());
    this.#timer ??= window.setTimeout(() => void this.ask(), wait);
  };

  /** Asks at once. */
  async ask() {
    window.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#askedAt = performance.now();
    try {
      await this.#load();
    } catch (error) {
      // The operator hides who is here, or the server is away.
      this.#take([]);
      this.#isOver = isFinal(error);
    }
  }

  #load = latest(
    () => everyPage("who", "users", "user"),
    (users) => this.#take(users),
  );

  /** @param {Here[]} users */
  #take(users) {
    const known = JSON.stringify(users);
    if (known === this.#known || this.#signal.aborted) return;
    this.#known = known;
    this.#here = new Map(users.map((one) => [one.user, one]));
    this.dispatchEvent(new Event("change"));
  }

  /**
   * What the reader says they do, and whether they are seen; changes what is given.
   * @param {{ status_text?: string, invisible?: boolean, receipts?: boolean }} [changes]
   * @returns {Promise<{ status_text?: string, invisible?: boolean, receipts: boolean }>}
   */
  async settings(changes) {
    const settings = await call("settings", changes);
    if (changes) void this.ask();
    return settings;
  }
}

/**
 * The sign of a user who is here, and what they do.
 * @param {Here | undefined} here
 * @returns {Node[]}
 */
export function hereNodes(here) {
  if (!here) return [];
  const word = say(here.invisible ? "page_invisible" : "page_here");
  const since = say("page_here_since", { time: moment(here.since) });
  const sign = make(
    "span",
    { class: here.invisible ? "here hidden-here" : "here", title: `${word}, ${since}` },
    make("span", { class: "unseen" }, ` ${word} `),
  );
  const status = here.status_text;
  return status ? [sign, make("small", { class: "doing", dir: "auto" }, status)] : [sign];
}
