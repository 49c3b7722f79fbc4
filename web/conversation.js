// One conversation: its messages with a line for each day, older and newer ones as one scrolls, and
// the mark of how far it was read.

import { call, conversationOf, fetchPage } from "./api.js";
import { askToDelete } from "./delete.js";
import { button, fill, isolated, make } from "./dom.js";
import { letterElement } from "./letter.js";
import { answersInRoom, messageElement } from "./message.js";
import { textNodes } from "./text.js";
import { day, dayKey } from "./time.js";
import { WriteBox } from "./write-box.js";
import { explain, say } from "./words.js";

/** @typedef {import("./api.js").Message} Message */
/** @typedef {import("./api.js").Change} Change */
/** @typedef {import("./inbox.js").Inbox} Inbox */
/** @typedef {import("./outbox.js").Outbox} Outbox */

const PAGE = 60;
/** More messages than this do not stay in the page: those far from what is seen go. */
const KEPT = 360;
/** How near to an end, in pixels, the next page is asked for. */
const NEAR = 600;
/** Messages of one sender within this time stand together, in milliseconds. */
const TOGETHER = 5 * 60 * 1000;

export class ConversationView {
  element = make("section", { class: "conversation" });
  /** @type {Message[]} */ #messages = [];
  /** Where the line stands between what was read before, and what is new: before the first message */
  /** after this one, */ #newAfter = 0;
  /** which is this one, once it is shown. */ #firstNew = 0;
  #hasOlder = false;
  #hasNewer = false;
  #isLoading = false;
  /** All that is shown has to be asked for again once the page has come that is asked for. */
  #isOld = false;
  /** @type {Message[]} What arrived while a page was loaded, which may not have it. */ #early = [];
  #isEnded = false;
  /** Counts the pages that were opened. */ #run = 0;
  #log = make("div", { class: "log", role: "log", "aria-live": "off", tabindex: 0 });
  #waiting = make("div", { class: "waiting" });
  #spoken = make("div", { class: "unseen", "aria-live": "polite" });
  /** The message that was spoken last. */ #spokenId = 0;
  #down = button(say("page_to_the_end"), () => void this.#toEnd(), { class: "down", hidden: true });
  #box;
  #inbox;
  #outbox;
  #name;
  #ends = new AbortController();
  /** Which messages are in sight: they count as read while somebody looks. */
  #sight;
  /** @type {Set<number>} */ #inSight = new Set();
  /** The end stays in sight while the pane changes its height. */
  #size = new ResizeObserver(() => {
    if (this.#wasAtEnd) this.#log.scrollTop = this.#log.scrollHeight;
  });
  #wasAtEnd = true;

  /**
   * @param {string} name
   * @param {Inbox} inbox
   * @param {Outbox} outbox
   * @param {{ back: () => void, details: () => void, here: Node }} acts `here` stands beside the name.
   */
  constructor(name, inbox, outbox, acts) {
    this.#name = name;
    this.#inbox = inbox;
    this.#outbox = outbox;
    this.#box = new WriteBox(inbox.me, name, {
      send: (text, replyTo) => this.#send(text, replyTo),
      edit: (id, body) => this.#edit(id, body),
    });
    const conversation = inbox.conversations.get(name);
    const title =
      conversation?.title ?? inbox.users.find(({ user }) => user === name)?.display_name;
    fill(
      this.element,
      make(
        "header",
        {},
        button("‹", acts.back, { class: "plain back", "aria-label": say("page_back") }),
        make("h1", { tabindex: -1 }, isolated(name)),
        acts.here,
        make("p", { class: "topic", dir: "auto" }, ...textNodes(title ?? "", inbox.me)),
        name !== inbox.me && button(say("page_details"), acts.details, { class: "plain" }),
      ),
      make("div", { class: "pane" }, this.#log, this.#down),
      this.#waiting,
      this.#spoken,
      this.#box.element,
    );
    this.#log.setAttribute("aria-label", say("page_messages_with", { name }));
    this.#sight = new IntersectionObserver((entries) => this.#sighted(entries), {
      root: this.#log,
    });
    const { signal } = this.#ends;
    this.#size.observe(this.#log);
    this.#log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#log.addEventListener("keydown", (event) => this.#key(event));
    inbox.addEventListener(
      "message",
      (event) => this.#arrived(/** @type {CustomEvent<Message>} */ (event).detail),
      { signal },
    );
    inbox.addEventListener(
      "change",
      (event) => this.#changed(/** @type {CustomEvent<Change>} */ (event).detail),
      { signal },
    );
    inbox.addEventListener("back", () => void this.#again(), { signal });
    outbox.addEventListener("change", () => this.#showWaiting(), { signal });
    for (const seen of ["focus", "visibilitychange"]) {
      window.addEventListener(seen, () => this.#mark(), { signal, capture: true });
    }
    this.#showWaiting();
  }

  /** The conversation is no longer shown. */
  end() {
    this.#isEnded = true;
    this.#ends.abort();
    this.#sight.disconnect();
    this.#size.disconnect();
    this.#box.keepDraft();
  }

  focus() {
    this.#box.focus();
  }

  /**
   * Shows the newest messages, or a message in its place.
   * @param {number} [id]
   */
  async open(id) {
    this.#log.setAttribute("aria-busy", "true");
    this.#isLoading = true;
    this.#run += 1;
    const run = this.#run;
    let isDone = false;
    try {
      const { unread = 0, readUpto = 0 } = this.#inbox.conversations.get(this.#name) ?? {};
      const isFirst = this.#messages.length === 0;
      // Reading begins where it ended; later the end is what one asks for.
      const around = id ?? (isFirst && unread > 0 ? readUpto : undefined);
      if (isFirst) this.#newAfter = unread > 0 ? readUpto : Infinity;
      const page = await this.#page({ limit: PAGE, around });
      // Another one was asked for meanwhile.
      if (this.#isEnded || run !== this.#run) return;
      this.#messages = page.messages;
      this.#hasOlder = around === undefined ? page.more : Boolean(page.more_before);
      this.#hasNewer = around === undefined ? false : page.more;
      this.#down.hidden = !this.#hasNewer;
      this.#render();
      const line = this.#log.querySelector(".new");
      if (id) this.#show(id);
      else if (around !== undefined && line) line.scrollIntoView({ block: "center" });
      else this.#log.scrollTop = this.#log.scrollHeight;
      isDone = true;
    } catch (error) {
      if (!this.#isEnded && run === this.#run) this.#fail(error);
    } finally {
      if (run === this.#run) this.#loaded(isDone);
    }
  }

  /** @param {boolean} isDone A page has come, or has not. */
  #loaded(isDone) {
    this.#isLoading = false;
    this.#log.removeAttribute("aria-busy");
    const early = this.#current(this.#early);
    this.#early = [];
    for (const message of early) this.#arrived(message);
    if (!isDone || this.#isEnded) return;
    if (this.#isOld) void this.#again();
    // A high window may have room for more.
    else this.#scrolled();
  }

  /**
   * A page of the conversation, as it is now: something may have been changed while it was on its way.
   * @param {{ limit: number, after?: number, before?: number, around?: number }} fields
   */
  async #page(fields) {
    const page = await fetchPage({ with: this.#name, ...fields });
    return { ...page, messages: this.#current(page.messages) };
  }

  /** @param {Message[]} messages */
  #current(messages) {
    return messages
      .map((message) => this.#inbox.current(message))
      .filter((message) => message !== undefined);
  }

  /**
   * Asks again for the messages that are shown, and for what came after them. What was changed while
   * the stream was away is told to it only as far as others have changed it.
   */
  async #again() {
    this.#isOld = this.#isLoading;
    if (this.#isLoading) return;
    const [first, last] = [this.#messages[0], this.#messages.at(-1)];
    if (!first || !last) return this.open();
    this.#log.setAttribute("aria-busy", "true");
    this.#isLoading = true;
    const run = this.#run;
    let isDone = false;
    try {
      /** @type {Message[]} */
      const messages = [];
      let after = this.#hasOlder ? first.id - 1 : 0;
      let more = true;
      while (more && after < last.id) {
        const page = await this.#page({ limit: KEPT, after });
        messages.push(...page.messages);
        more = page.more;
        after = page.upto ?? page.messages.at(-1)?.id ?? last.id;
      }
      if (this.#isEnded || run !== this.#run) return;
      if (messages.length === 0) return this.open();
      this.#replace(messages, more);
      isDone = true;
    } catch {
      // The stream comes back again.
    } finally {
      if (run === this.#run) this.#loaded(isDone);
    }
  }

  /**
   * Shows these messages in place of those that are shown. What is seen stays where it is.
   * @param {Message[]} messages
   * @param {boolean} more There are later ones.
   */
  #replace(messages, more) {
    const isAtEnd = this.#isAtEnd();
    const focused = document.activeElement?.closest(".message")?.getAttribute("data-id");
    const top = this.#log.getBoundingClientRect().top;
    const seen = this.#messages.find(({ id }) => this.#topOf(id) >= top)?.id ?? 0;
    const from = this.#topOf(seen);
    const shown = new Set(this.#messages.map(({ id }) => id));
    const last = this.#messages.at(-1)?.id ?? 0;
    const isNew = more || messages.some(({ id }) => id > last);
    this.#messages = messages;
    this.#hasNewer = more;
    this.#render();
    for (const { id } of messages) shown.delete(id);
    for (const id of shown) this.#isGone(id);
    if (isAtEnd && !more) {
      this.#log.scrollTop = this.#log.scrollHeight;
    } else {
      if (isNew) this.#down.hidden = false;
      const anchor = messages.find(({ id }) => id >= seen)?.id ?? messages.at(-1)?.id ?? 0;
      this.#log.scrollTop += this.#topOf(anchor) - from;
    }
    if (focused) this.#find(Number(focused))?.focus({ preventScroll: true });
  }

  /** @param {number} id Where a message stands in the window. */
  #topOf(id) {
    return this.#find(id)?.getBoundingClientRect().top ?? 0;
  }

  /** @param {unknown} error */
  #fail(error) {
    fill(
      this.#log,
      make(
        "p",
        { class: "problem", role: "alert" },
        explain(error),
        " ",
        button(say("page_try_again"), () => void this.open()),
      ),
    );
  }

  /** Goes to the newest message. */
  async #toEnd() {
    if (this.#hasNewer) return this.open();
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#down.hidden = true;
  }

  #render() {
    this.#sight.disconnect();
    this.#inSight.clear();
    const nodes = this.#messages.flatMap((message, at) =>
      this.#nodesOf(message, this.#messages[at - 1]),
    );
    fill(
      this.#log,
      ...(nodes.length > 0 ? nodes : [make("p", { class: "empty" }, say("page_no_messages"))]),
    );
  }

  /**
   * A message, with the line of its day if it is the first one of it.
   * @param {Message} message
   * @param {Message | undefined} previous
   */
  #nodesOf(message, previous) {
    const isNewDay = !previous || dayKey(previous.at) !== dayKey(message.at);
    const element = this.#elementOf(message, previous);
    if (message.id > this.#newAfter && message.from !== this.#inbox.me) {
      this.#newAfter = Infinity;
      this.#firstNew = message.id;
    }
    const nodes = [];
    if (isNewDay) nodes.push(make("h2", { class: "day" }, day(message.at)));
    if (message.id === this.#firstNew) {
      nodes.push(make("h2", { class: "new" }, say("page_new_messages")));
    }
    return [...nodes, element];
  }

  /**
   * @param {Message} message
   * @param {Message | undefined} previous
   */
  #elementOf(message, previous) {
    const follows =
      previous !== undefined &&
      dayKey(previous.at) === dayKey(message.at) &&
      previous.from === message.from &&
      !message.reply_to &&
      !message.title &&
      !message.priority &&
      !previous.priority &&
      Date.parse(message.at) - Date.parse(previous.at) < TOGETHER;
    const element = messageElement(message, this.#inbox.me, follows, {
      reply: (answered) => this.#box.replyTo(answered),
      edit: (edited) => this.#box.edit(edited),
      remove: (removed) => this.#askToRemove(removed),
      mayRemove: (removed) => this.#mayRemove(removed),
      answer: (question, text) => void this.#send(text, question.id),
      jump: (id) => void this.#jump(id),
      find: (id) => this.#messages.find((one) => one.id === id),
      isAnswered: (question) => this.#isAnswered(question),
    });
    this.#sight.observe(element);
    return element;
  }

  /**
   * A message has arrived or was sent.
   * @param {Message} message
   */
  #arrived(message) {
    if (conversationOf(message, this.#inbox.me) !== this.#name) return;
    if (this.#isLoading) {
      this.#early.push(message);
      return;
    }
    if (this.#hasNewer) {
      this.#down.hidden = false;
      return;
    }
    const last = this.#messages.at(-1);
    if (last && last.id >= message.id) return this.#insert(message);
    const mine = message.from === this.#inbox.me;
    const follow = this.#isAtEnd() || mine;
    if (!follow && this.#messages.length >= KEPT) {
      // It comes as the reader scrolls down.
      this.#hasNewer = true;
      this.#down.hidden = false;
      return;
    }
    if (!last) fill(this.#log);
    this.#log.append(...this.#nodesOf(message, last));
    this.#messages.push(message);
    if (message.reply_to) this.#showAnswered();
    if (follow) {
      this.#drop("oldest");
      this.#log.scrollTop = this.#log.scrollHeight;
    } else {
      this.#down.hidden = false;
    }
    if (!mine) {
      this.#spokenId = message.id;
      fill(this.#spoken, `${message.from}: ${message.body.slice(0, 300)}`);
    }
  }

  /**
   * A message that comes after a later one stands before it.
   * @param {Message} message
   */
  #insert(message) {
    const { id } = message;
    const at = this.#messages.findIndex((one) => one.id >= id);
    if (this.#messages[at].id === id || (at === 0 && this.#hasOlder)) return;
    const isAtEnd = this.#isAtEnd();
    const top = this.#log.scrollTop;
    this.#messages.splice(at, 0, message);
    this.#render();
    this.#log.scrollTop = isAtEnd ? this.#log.scrollHeight : top;
  }

  /**
   * A message was edited or deleted.
   * @param {Change} change
   */
  #changed(change) {
    const { id, at, body } = change;
    if (body === undefined) this.#isGone(id);
    const place = this.#messages.findIndex((one) => one.id === id);
    const message = this.#messages[place];
    // A page that was loaded meanwhile may have a later text.
    if (!message || (body !== undefined && message.edited && message.edited > at)) return;
    const { scrollTop: top, scrollHeight: height } = this.#log;
    const isAtEnd = this.#isAtEnd();
    const isAbove = (this.#find(id)?.offsetTop ?? 0) < top;
    if (body === undefined) this.#remove(place);
    else {
      this.#messages[place] = { ...message, body, edited: at };
      this.#redraw(place);
    }
    for (const [answer, { reply_to }] of this.#messages.entries()) {
      if (reply_to === id) this.#redraw(answer);
    }
    this.#showAnswered();
    // What is seen stays where it is.
    if (isAtEnd) this.#log.scrollTop = this.#log.scrollHeight;
    else this.#log.scrollTop = isAbove ? top + this.#log.scrollHeight - height : top;
  }

  /** @param {number} place Which of the messages was deleted. */
  #remove(place) {
    const [{ id }] = this.#messages.splice(place, 1);
    this.#forget(id);
    if (this.#messages.length === 0) {
      void this.open();
      return;
    }
    this.#redraw(place);
    this.#tidyDays();
  }

  /** @param {number} id It was deleted: its text is nowhere any more. */
  #isGone(id) {
    this.#box.isGone(id);
    if (this.#spokenId === id) fill(this.#spoken);
  }

  /** @param {number} place Which of the messages is drawn anew. */
  #redraw(place) {
    const message = this.#messages[place];
    const old = message && this.#find(message.id);
    if (!old) return;
    const hadFocus = old.contains(document.activeElement);
    this.#sight.unobserve(old);
    const element = this.#elementOf(message, this.#messages[place - 1]);
    old.replaceWith(element);
    if (hadFocus) element.focus({ preventScroll: true });
  }

  /** @param {number} id A message that is no longer in the page. */
  #forget(id) {
    const element = this.#find(id);
    this.#inSight.delete(id);
    if (element) this.#sight.unobserve(element);
    element?.remove();
  }

  /** @param {Message} message */
  #mayRemove({ from, room }) {
    const role = room && this.#inbox.conversations.get(room)?.room?.role;
    return from === this.#inbox.me || role === "owner" || role === "moderator";
  }

  /** @param {Message} message */
  #askToRemove(message) {
    askToDelete(message, (deletion) => this.#inbox.amend(deletion), () => this.#box.focus());
  }

  /**
   * @param {number} id
   * @param {string} body
   */
  async #edit(id, body) {
    const { at, change } = await call("edit", { id, body });
    this.#inbox.amend({ id, at, change, body });
  }

  /** @param {Message} question It takes one answer, in a room of one member. */
  #isAnswered(question) {
    const mine = (/** @type {{ reply_to?: number }} */ one) => one.reply_to === question.id;
    return (
      this.#outbox.letters.some((letter) => mine(letter) && !letter.refused) ||
      this.#messages.some(
        (message) =>
          (message.from === this.#inbox.me && mine(message)) ||
          (question.room && answersInRoom(question, message)),
      )
    );
  }

  /** Buttons of questions that are answered cannot be pressed. */
  #showAnswered() {
    for (const element of this.#log.querySelectorAll(".choices")) {
      const id = Number(/** @type {HTMLElement} */ (element.closest(".message")).dataset.id);
      const question = this.#messages.find((one) => one.id === id);
      const answered = question !== undefined && this.#isAnswered(question);
      for (const one of element.querySelectorAll("button")) one.disabled = answered;
    }
  }

  #isAtEnd() {
    return this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 60;
  }

  #scrolled() {
    this.#wasAtEnd = !this.#hasNewer && this.#isAtEnd();
    if (!this.#hasNewer && this.#isAtEnd()) this.#down.hidden = true;
    if (this.#log.scrollTop < NEAR && this.#hasOlder) void this.#more("older");
    const below = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight;
    if (below < NEAR && this.#hasNewer) void this.#more("newer");
  }

  /**
   * Loads the next page at one of the ends.
   * @param {"older" | "newer"} end
   */
  async #more(end) {
    const edge = end === "older" ? this.#messages[0] : this.#messages.at(-1);
    if (this.#isLoading || !edge) return;
    this.#isLoading = true;
    const run = this.#run;
    let isDone = false;
    this.#log.setAttribute("aria-busy", "true");
    try {
      const from = end === "older" ? { before: edge.id } : { after: edge.id };
      const page = await this.#page({ limit: PAGE, ...from });
      if (this.#isEnded || run !== this.#run) return;
      if (end === "older") this.#prepend(page);
      else this.#append(page);
      isDone = true;
    } catch {
      // The next scroll asks again.
    } finally {
      if (run === this.#run) this.#loaded(isDone);
    }
  }

  /** @param {import("./api.js").Page} page */
  #prepend({ messages, more }) {
    this.#hasOlder = more && messages.length > 0;
    const [first] = this.#messages;
    const nodes = messages.flatMap((message, at) => this.#nodesOf(message, messages[at - 1]));
    const height = this.#log.scrollHeight;
    const top = this.#log.scrollTop;
    const days = this.#log.querySelector(".day");
    const last = messages.at(-1);
    if (last && dayKey(last.at) === dayKey(first.at)) days?.remove();
    this.#log.prepend(...nodes);
    this.#messages.unshift(...messages);
    // What is seen stays where it is.
    this.#log.scrollTop = top + this.#log.scrollHeight - height;
    this.#drop("newest");
  }

  /** @param {import("./api.js").Page} page */
  #append({ messages, more }) {
    this.#hasNewer = more;
    for (const message of messages) {
      const last = this.#messages.at(-1);
      if (last && last.id >= message.id) continue;
      this.#log.append(...this.#nodesOf(message, last));
      this.#messages.push(message);
    }
    const height = this.#log.scrollHeight;
    const top = this.#log.scrollTop;
    if (this.#drop("oldest")) this.#log.scrollTop = top + this.#log.scrollHeight - height;
  }

  /**
   * Takes messages out of the page that are far from what is seen.
   * @param {"oldest" | "newest"} which
   */
  #drop(which) {
    const count = this.#messages.length - KEPT;
    if (count <= 0) return false;
    const gone =
      which === "oldest" ? this.#messages.splice(0, count) : this.#messages.splice(-count);
    if (which === "oldest") this.#hasOlder = true;
    else this.#hasNewer = true;
    for (const { id } of gone) this.#forget(id);
    this.#tidyDays();
    return true;
  }

  /** Every day has one line, and no line is without its day. */
  #tidyDays() {
    // The line of what is new stands behind that of its day, and goes before it.
    for (const line of [...this.#log.querySelectorAll(".day, .new")].reverse()) {
      const next = line.nextElementSibling;
      if (!next || next.classList.contains("day")) line.remove();
    }
    const first = this.#log.firstElementChild;
    if (first && !first.classList.contains("day") && this.#messages[0]) {
      const { at } = this.#messages[0];
      first.before(make("h2", { class: "day" }, day(at)));
    }
  }

  /** @param {number} id */
  #find(id) {
    return /** @type {HTMLElement | null} */ (this.#log.querySelector(`[data-id="${id}"]`));
  }

  /**
   * Shows a message; loads its place if it is not here.
   * @param {number} id
   */
  async #jump(id) {
    if (this.#find(id)) this.#show(id);
    else await this.open(id);
  }

  /** @param {number} id If it was deleted, its place is shown. */
  #show(id) {
    const element = this.#find(id);
    const near = this.#messages.find((one) => one.id > id) ?? this.#messages.at(-1);
    const place = element ?? this.#find(near?.id ?? 0);
    place?.scrollIntoView({ block: "center" });
    place?.focus({ preventScroll: true });
    element?.classList.add("found");
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #sighted(entries) {
    for (const { target, isIntersecting } of entries) {
      const id = Number(/** @type {HTMLElement} */ (target).dataset.id);
      // One's own need no mark, and may come before others' that have not come yet.
      if (isIntersecting && !target.classList.contains("mine")) this.#inSight.add(id);
      else this.#inSight.delete(id);
    }
    this.#mark();
  }

  /** Marks what is in sight as read, if somebody can look at it. */
  #mark() {
    if (document.visibilityState !== "visible" || !document.hasFocus()) return;
    const upto = Math.max(0, ...this.#inSight);
    if (upto > 0) this.#inbox.seen(this.#name, upto);
  }

  /**
   * @param {string} text
   * @param {number} [replyTo]
   */
  async #send(text, replyTo) {
    await this.#outbox.add(this.#name, text, replyTo);
    await this.#toEnd();
  }

  /** Shows what waits to be sent. */
  #showWaiting() {
    const letters = this.#outbox.letters.filter(({ to }) => to === this.#name);
    fill(
      this.#waiting,
      ...letters.map((letter) =>
        letterElement(
          letter,
          this.#inbox.me,
          () => void this.#outbox.retry(letter),
          () => void this.#outbox.discard(letter),
        ),
      ),
    );
    this.#waiting.hidden = letters.length === 0;
    this.#showAnswered();
  }

  /** @param {KeyboardEvent} event Keys move between messages. */
  #key(event) {
    const messages = [
      .../** @type {NodeListOf<HTMLElement>} */ (this.#log.querySelectorAll(".message")),
    ];
    const at = messages.findIndex((one) => one === document.activeElement);
    const steps = /** @type {Record<string, number>} */ ({ ArrowUp: -1, ArrowDown: 1 });
    const step = steps[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (step) {
      const next = at < 0 ? messages.at(-1) : messages[at + step];
      next?.focus();
    } else if (event.key === "End") {
      void this.#toEnd();
    } else if (["r", "e", "Delete"].includes(event.key) && at >= 0) {
      const id = Number(messages[at].dataset.id);
      const message = this.#messages.find((one) => one.id === id);
      if (!message) return;
      if (event.key === "r") this.#box.replyTo(message);
      else if (event.key === "Delete") this.#mayRemove(message) && this.#askToRemove(message);
      else if (message.from === this.#inbox.me) this.#box.edit(message);
    } else if (event.key === "Escape") {
      this.#box.focus();
    } else return;
    event.preventDefault();
  }
}
