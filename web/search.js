// Search: the messages that meet a query, the newest first. Each leads to its place.

import { call, conversationOf } from "./api.js";
import { addressOf } from "./conversation-list.js";
import { button, fill, form, isolated, make } from "./dom.js";
import { markedNodes } from "./text.js";
import { full, moment } from "./time.js";
import { explain, say } from "./words.js";

/** @typedef {import("./api.js").Message} Message */
/** @typedef {import("./api.js").Change} Change */

const PAGE = 50;

export class SearchView {
  element = make("section", { class: "search" });
  #input = make("input", { type: "search", "aria-label": say("page_search"), maxlength: 1024 });
  #state = make("p", { role: "status" });
  #list = make("ul", { class: "results" });
  #inbox;
  #query = "";
  #run = 0;
  #ends = new AbortController();

  /**
   * @param {import("./inbox.js").Inbox} inbox
   * @param {string} query
   * @param {() => void} back
   */
  constructor(inbox, query, back) {
    this.#inbox = inbox;
    this.#input.value = query;
    inbox.addEventListener(
      "change",
      (event) => this.#changed(/** @type {CustomEvent<Change>} */ (event).detail),
      { signal: this.#ends.signal },
    );
    fill(
      this.element,
      make(
        "header",
        {},
        make("h1", { class: "unseen" }, say("page_search")),
        button("‹", back, { class: "plain back", "aria-label": say("page_back") }),
        form(
          () => this.#ask(),
          { role: "search" },
          this.#input,
          make("button", { type: "submit", class: "main" }, say("page_search")),
        ),
      ),
      make("p", { class: "hint" }, say("page_search_hint")),
      this.#state,
      this.#list,
    );
    if (query) void this.search();
  }

  /** The search is no longer shown. */
  end() {
    this.#ends.abort();
  }

  focus() {
    this.#input.focus();
  }

  /** The query belongs to the address of the page. */
  #ask() {
    const address = `#/search/${encodeURIComponent(this.#input.value)}`;
    if (location.hash === address) void this.search();
    else location.hash = address;
  }

  /** Asks for the newest results, or for those of the same query before a message. */
  async search(/** @type {number | undefined} */ before = undefined) {
    this.#run += 1;
    const run = this.#run;
    if (!before) {
      this.#query = this.#input.value;
      fill(this.#list);
    }
    fill(this.#state, say("page_searching"));
    try {
      const { messages, more, upto } = await call("search", {
        query: this.#query,
        limit: PAGE,
        before,
      });
      if (run !== this.#run) return;
      this.#list.querySelector(".more")?.remove();
      this.#list.append(
        ...messages
          .filter((/** @type {Message} */ message) => this.#inbox.current(message))
          .map((/** @type {Message} */ message) => this.#result(message)),
      );
      if (more) {
        this.#list.append(
          make(
            "li",
            { class: "more" },
            button(say("page_older_results"), () => void this.search(upto ?? messages.at(-1)?.id)),
          ),
        );
      }
      this.#showEmpty();
    } catch (error) {
      if (run === this.#run) fill(this.#state, explain(error));
    }
  }

  #showEmpty() {
    const isEmpty = this.#list.childElementCount === 0;
    fill(this.#state, isEmpty && say("page_nothing_found"));
  }

  /** @param {Change} change A message may be a result, and is none any more if it was deleted. */
  #changed({ id, body }) {
    const result = this.#list.querySelector(`[data-id="${id}"]`);
    if (!result) return;
    if (body !== undefined) {
      fill(/** @type {Element} */ (result.querySelector(".preview")), ...markedNodes(body, []));
      return;
    }
    result.remove();
    if (this.#state.textContent === "") this.#showEmpty();
  }

  /** @param {Message} message */
  #result(message) {
    const name = conversationOf(message, this.#inbox.me);
    const body = this.#inbox.current(message)?.body ?? "";
    return make(
      "li",
      { "data-id": message.id },
      make(
        "a",
        { href: addressOf(name, message.id) },
        make(
          "span",
          { class: "name" },
          isolated(name),
          name !== message.from && " · ",
          name !== message.from && isolated(message.from),
        ),
        make("time", { datetime: message.at, title: full(message.at) }, moment(message.at)),
        message.title &&
          make(
            "span",
            { class: "title", dir: "auto" },
            ...markedNodes(message.title, message.title_matches ?? []),
          ),
        make(
          "span",
          { class: "preview", dir: "auto" },
          ...markedNodes(body, body === message.body ? (message.matches ?? []) : []),
        ),
      ),
    );
  }
}
