// The list of conversations: the newest first, with what is unread, then the other people.

import { button, fill, isolated, make } from "./dom.js";
import { newConversation } from "./inbox.js";
import { hereNodes } from "./presence.js";
import { oneLine } from "./text.js";
import { brief, full } from "./time.js";
import { say } from "./words.js";

/** @typedef {import("./inbox.js").Inbox} Inbox */
/** @typedef {import("./inbox.js").Conversation} Conversation */
/** @typedef {import("./presence.js").Presence} Presence */

/** More people without a conversation are found by their names. */
const PEOPLE_MAX = 200;

/**
 * The address of a conversation in this page.
 * @param {string} name
 * @param {number} [id] A message in it.
 */
export const addressOf = (name, id) => `#/with/${encodeURIComponent(name)}${id ? `/${id}` : ""}`;

export class ConversationList {
  element = make("nav", { class: "conversations", "aria-label": say("page_conversations") });
  #filter = make("input", {
    type: "search",
    placeholder: say("page_find_conversation"),
    "aria-label": say("page_find_conversation"),
    oninput: () => this.show(),
  });
  #list = make("ul");
  #me = make("h1");
  #inbox;
  #presence;
  #current = "";
  /** @type {number | undefined} */ #frame;

  /**
   * @param {Inbox} inbox
   * @param {Presence} presence
   * @param {{ rooms: () => void, search: () => void, settings: () => void }} acts
   */
  constructor(inbox, presence, acts) {
    this.#inbox = inbox;
    this.#presence = presence;
    fill(
      this.element,
      make(
        "header",
        {},
        this.#me,
        button(say("page_search"), acts.search, { class: "plain" }),
        button(say("page_rooms"), acts.rooms, { class: "plain" }),
        button(say("page_settings"), acts.settings, { class: "plain" }),
      ),
      this.#filter,
      this.#list,
    );
    this.#list.addEventListener("keydown", (event) => this.#move(event));
    // Once a frame: after an absence messages come by the hundred.
    const changed = () => {
      this.#frame ??= requestAnimationFrame(() => this.show());
    };
    inbox.addEventListener("list", changed);
    presence.addEventListener("change", changed);
  }

  /** @param {string} name The conversation that is open. */
  set current(name) {
    this.#current = name;
    this.show();
  }

  get current() {
    return this.#current;
  }

  focus() {
    this.#filter.focus();
  }

  show() {
    this.#frame = undefined;
    const wanted = this.#filter.value.trim().toLowerCase();
    const fits = (/** @type {Conversation} */ { name, title }) =>
      name.includes(wanted) || title.toLowerCase().includes(wanted);
    const begun = [...this.#inbox.conversations.values()]
      .filter(fits)
      .sort(
        (one, other) =>
          (other.newest?.id ?? 0) - (one.newest?.id ?? 0) || (one.name < other.name ? -1 : 1),
      );
    const others = this.#people().filter(fits);
    fill(this.#me, isolated(this.#inbox.me), ...hereNodes(this.#presence.of(this.#inbox.me)));
    const focused = document.activeElement?.getAttribute("href");
    fill(
      this.#list,
      ...begun.map((one) => this.#row(one)),
      others.length > 0 && make("li", { class: "divider" }, say("page_people")),
      ...others.slice(0, PEOPLE_MAX).map((one) => this.#row(one)),
      others.length > PEOPLE_MAX && make("li", { class: "divider" }, say("page_more_people")),
      begun.length + others.length === 0 &&
        make("li", { class: "empty" }, say("page_nothing_found")),
    );
    if (focused) this.#link(focused)?.focus();
  }

  /** People without a conversation; those who are here come first. */
  #people() {
    const others = this.#inbox.users.filter(({ user }) => !this.#inbox.conversations.has(user));
    const isHere = (/** @type {{ user: string }} */ { user }) => Boolean(this.#presence.of(user));
    return [...others.filter(isHere), ...others.filter((other) => !isHere(other))].map(
      ({ user, display_name }) => newConversation(user, display_name),
    );
  }

  /** @param {string} address */
  #link(address) {
    return [...this.#list.querySelectorAll("a")].find(
      (one) => one.getAttribute("href") === address,
    );
  }

  /** @param {Conversation} conversation */
  #row({ name, title, newest, unread, mentions, room }) {
    const isCurrent = name === this.#current;
    const silent = room?.notify === "none";
    const count = mentions > 0 ? `@ ${unread}` : `${unread}`;
    const said =
      mentions > 0
        ? say("page_unread_mentions", { count: unread, mentions })
        : say("page_unread", { count: unread });
    return make(
      "li",
      {},
      make(
        "a",
        {
          href: addressOf(name),
          "aria-current": isCurrent && "page",
          class: unread > 0 && "unread",
        },
        make(
          "span",
          { class: "name" },
          isolated(name),
          ...hereNodes(this.#presence.of(name)),
          room?.private && lock(),
          silent && make("small", {}, ` ${say("page_muted")}`),
          this.#inbox.blocked.has(name) && make("small", {}, ` ${say("page_blocked")}`),
        ),
        newest && make("time", { datetime: newest.at, title: full(newest.at) }, brief(newest.at)),
        make(
          "span",
          { class: "preview" },
          ...(newest
            ? [make("bdi", {}, ...oneLine(newest.body || newest.title || ""))]
            : [isolated(title)]),
        ),
        unread > 0 &&
          make(
            "span",
            { class: mentions > 0 ? "count mention" : "count" },
            make("span", { "aria-hidden": "true" }, count),
            make("span", { class: "unseen" }, said),
          ),
      ),
    );
  }

  /** @param {KeyboardEvent} event Arrows move between conversations. */
  #move(event) {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const links = [...this.#list.querySelectorAll("a")];
    const at = links.findIndex((link) => link === document.activeElement);
    links[at + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
    event.preventDefault();
  }
}

function lock() {
  return make("small", { class: "lock" }, ` ${say("page_private")}`);
}
