// Search: the messages that meet a query, the newest first. Each leads to its place.

import { call, conversationOf } from "./api.js";
import { addressOf } from "./conversation-list.js";
import { button, fill, form, isolated, make } from "./dom.js";
import { markedNodes } from "./text.js";
import { full, moment } from "./time.js";
import { explain, say } from "./words.js";

/** @typedef {import("./api.js").Message} Message */

const PAGE = 50;

export class SearchView {
  element = make("section", { class: "search" });
  #input = make("input", { type: "search", "aria-label": say("page_search"), maxlength: 1024 });
  #state = make("p", { role: "status" });
  #list = make("ul", { class: "results" });
  #me;
  #run = 0;

  /**
   * @param {string} me
   * @param {string} query
   * @param {() => void} back
   */
  constructor(me, query, back) {
    this.#me = me;
    this.#input.value = query;
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

  focus() {
    this.#input.focus();
  }

  /** The query belongs to the address of the page. */
  #ask() {
    const address = `#/search/${encodeURIComponent(this.#input.value)}`;
    if (location.hash === address) void this.search();
    else location.hash = address;
  }

  /** Asks for the newest results, or for those before a message. */
  async search(/** @type {number | undefined} */ before = undefined) {
    this.#run += 1;
    const run = this.#run;
    if (!before) fill(this.#list);
    fill(this.#state, say("page_searching"));
    try {
      const query = this.#input.value;
      const { messages, more, upto } = await call("search", { query, limit: PAGE, before });
      if (run !== this.#run) return;
      this.#list.querySelector(".more")?.remove();
      this.#list.append(...messages.map((/** @type {Message} */ message) => this.#result(message)));
      if (more) {
        this.#list.append(
          make(
            "li",
            { class: "more" },
            button(say("page_older_results"), () => void this.search(upto ?? messages.at(-1)?.id)),
          ),
        );
      }
      const isEmpty = this.#list.childElementCount === 0;
      fill(this.#state, isEmpty && say("page_nothing_found"));
    } catch (error) {
      if (run === this.#run) fill(this.#state, explain(error));
    }
  }

  /** @param {Message} message */
  #result(message) {
    const name = conversationOf(message, this.#me);
    return make(
      "li",
      {},
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
          ...markedNodes(message.body, message.matches ?? []),
        ),
      ),
    );
  }
}
