// The box to write in: Enter sends, Shift and Enter break the line. What was begun stays, for each
// conversation, until it is sent.

import { button, fill, isolated, make } from "./dom.js";
import { oneLine } from "./text.js";
import { explain, say } from "./words.js";

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
  /** @type {number | undefined} The message that gets another text. */ #edited;
  #draft;
  #acts;

  /**
   * @param {string} me
   * @param {string} name The conversation.
   * @param {object} acts
   * @param {(text: string, replyTo?: number) => Promise<void>} acts.send
   * @param {(id: number, text: string) => Promise<void>} acts.edit
   */
  constructor(me, name, acts) {
    this.#draft = `draft of ${me} to ${name}`;
    this.#acts = acts;
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
    // What was begun before an edit stays.
    if (this.#edited) return;
    const text = this.#input.value;
    if (text) localStorage.setItem(this.#draft, text);
    else localStorage.removeItem(this.#draft);
  }

  /** @param {Message} message The next message answers it. */
  replyTo(message) {
    this.#forget();
    this.#replyTo = message.id;
    this.#about(["↩ ", isolated(message.from), ": "], message, "page_no_reply");
  }

  /** @param {Message} message The box has its text, to change it. */
  edit(message) {
    this.#forget();
    this.keepDraft();
    this.#edited = message.id;
    this.#input.value = message.body;
    this.#about([`${say("page_edit")}: `], message, "page_no_edit");
    this.#grow();
  }

  /** @param {number} id This message was deleted: it is neither answered nor edited. */
  isGone(id) {
    if (this.#replyTo !== id && this.#edited !== id) return;
    this.#forget();
    fill(this.#problem, say("page_is_deleted"));
  }

  /**
   * Shows what the text is about, and a way to end that.
   * @param {(Node | string)[]} begin
   * @param {Message} message
   * @param {string} end
   */
  #about(begin, message, end) {
    fill(
      this.#answered,
      ...begin,
      make("bdi", {}, ...oneLine(message.body)),
      " ",
      button("✕", () => this.#end(), { class: "plain", "aria-label": say(end) }),
    );
    this.#answered.hidden = false;
    this.#input.focus();
  }

  #forget() {
    if (this.#edited) {
      this.#edited = undefined;
      this.#input.value = localStorage.getItem(this.#draft) ?? "";
      fill(this.#problem);
      this.#grow();
    }
    this.#replyTo = undefined;
    this.#answered.hidden = true;
    fill(this.#answered);
  }

  #end() {
    this.#forget();
    this.#input.focus();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    // While a script is being composed, Enter belongs to it.
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "Escape" && (this.#replyTo || this.#edited)) {
      event.preventDefault();
      this.#end();
    }
  }

  #submit() {
    const text = this.#input.value;
    if (text.trim() === "") return;
    if (new TextEncoder().encode(text).length > BYTES_MAX) {
      fill(this.#problem, say("page_too_long"));
      return;
    }
    if (this.#edited) {
      void this.#change(this.#edited, text);
      return;
    }
    void this.#acts.send(text, this.#replyTo).catch(() => this.#takeBack(text));
    this.#input.value = "";
    this.keepDraft();
    this.#end();
    this.#grow();
  }

  /**
   * @param {number} id
   * @param {string} text
   */
  async #change(id, text) {
    try {
      await this.#acts.edit(id, text);
      // Another edit may have begun meanwhile.
      if (this.#edited === id && this.#input.value === text) this.#end();
    } catch (error) {
      if (this.#edited === id) fill(this.#problem, explain(error));
    }
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
