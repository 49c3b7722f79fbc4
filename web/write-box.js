// The box to write in: Enter sends, Shift and Enter break the line. What was begun stays, for each
// conversation, until it is sent.

import { button, fill, isolated, make } from "./dom.js";
import { oneLine } from "./text.js";
import { say } from "./words.js";

/** @typedef {import("./api.js").Message} Message */

const BYTES_MAX = 32 * 1024;

export class WriteBox {
  #input = make("textarea", {
    rows: 1,
    "aria-label": say("page_write"),
    placeholder: say("page_write"),
    dir: "auto",
    enterkeyhint: "send",
  });
  #answered = make("p", { class: "answered", hidden: true });
  #problem = make("p", { class: "problem", role: "alert" });
  element = make(
    "form",
    {
      class: "write-box",
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        this.#submit();
      },
    },
    this.#answered,
    this.#problem,
    make(
      "div",
      {},
      this.#input,
      make("button", { type: "submit", class: "main" }, say("page_send")),
    ),
  );
  /** @type {number | undefined} */ #replyTo;
  #draft;
  #send;

  /**
   * @param {string} me
   * @param {string} name The conversation.
   * @param {(text: string, replyTo?: number) => Promise<void>} send
   */
  constructor(me, name, send) {
    this.#draft = `draft of ${me} to ${name}`;
    this.#send = send;
    this.#input.value = localStorage.getItem(this.#draft) ?? "";
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#input.addEventListener("input", () => {
      fill(this.#problem);
      this.keepDraft();
      this.#grow();
    });
    requestAnimationFrame(() => this.#grow());
  }

  focus() {
    this.#input.focus();
  }

  keepDraft() {
    const text = this.#input.value;
    if (text) localStorage.setItem(this.#draft, text);
    else localStorage.removeItem(this.#draft);
  }

  /** @param {Message} message The next message answers it. */
  replyTo(message) {
    this.#replyTo = message.id;
    fill(
      this.#answered,
      "↩ ",
      isolated(message.from),
      ": ",
      make("bdi", {}, ...oneLine(message.body)),
      " ",
      button("✕", () => this.#forget(), { class: "plain", "aria-label": say("page_no_reply") }),
    );
    this.#answered.hidden = false;
    this.#input.focus();
  }

  #forget() {
    this.#replyTo = undefined;
    this.#answered.hidden = true;
    this.#input.focus();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    // While a script is being composed, Enter belongs to it.
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "Escape" && this.#replyTo) {
      event.preventDefault();
      this.#forget();
    }
  }

  #submit() {
    const text = this.#input.value;
    if (text.trim() === "") return;
    if (new TextEncoder().encode(text).length > BYTES_MAX) {
      fill(this.#problem, say("page_too_long"));
      return;
    }
    void this.#send(text, this.#replyTo).catch(() => this.#takeBack(text));
    this.#input.value = "";
    this.keepDraft();
    this.#forget();
    this.#grow();
  }

  /** @param {string} text The browser had no room for it. */
  #takeBack(text) {
    this.#input.value = [text, this.#input.value].filter(Boolean).join("\n");
    this.keepDraft();
    fill(this.#problem, say("page_not_kept"));
    this.#grow();
  }

  /** The box is as high as its text, to a limit that the stylesheet sets. */
  #grow() {
    this.#input.style.height = "auto";
    this.#input.style.height = `${this.#input.scrollHeight + 2}px`;
  }
}
