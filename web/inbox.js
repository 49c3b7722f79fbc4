// What this page knows: who is logged in, the conversations with what is unread in them, and the
// messages that arrive. The views are told of changes by events.

import { call, conversationOf, everyPage, isFinal, Refusal } from "./api.js";
import { hasMention } from "./text.js";
import { hasPassed, whenPassed } from "./time.js";

/** @typedef {import("./api.js").Message} Message */
/** @typedef {import("./api.js").Change} Change */
/** @typedef {import("./api.js").Room} Room */

/**
 * @typedef {object} Conversation
 * @property {string} name A user, or a room with its `#`.
 * @property {string} title The user's display name, or the room's topic.
 * @property {Message | null} newest
 * @property {number} unread
 * @property {number} mentions How many of the unread messages mention the reader.
 * @property {Room | null} room
 * @property {number} counted The newest message that `unread` knows of.
 * @property {number} readUpto Up to here it was read by this page, or elsewhere.
 */

/**
 * A conversation as the server lists it.
 * @typedef {object} Listed
 * @property {string} [with]
 * @property {string} [room]
 * @property {Message} last
 * @property {number} unread
 * @property {number} mentions
 * @property {number} upto
 */

/** How many conversations the list asks for at a time, and how often. */
const PAGE = 100;
const PAGES_MAX = 5;
/** How often the server is asked for the numbers if messages come meanwhile. */
const COUNTS_MAX = 3;
/** How long marks are gathered before they are sent. */
const MARK_WAIT = 400;
/** How long marks wait that could not be sent. */
const MARK_RETRY_WAIT = 5_000;
/** How long changes are gathered before the server counts anew. */
const COUNT_WAIT = 200;
/** How long after a message has expired the server counts anew. */
const EXPIRY_WAIT = 1_000;
/** The same, if it has not expired by the server's clock. */
const EXPIRY_RETRY_WAIT = 60_000;

/**
 * A conversation without messages.
 * @param {string} name
 * @param {string} title
 * @returns {Conversation}
 */
export function newConversation(name, title) {
  const numbers = { unread: 0, mentions: 0, counted: 0, readUpto: 0 };
  return { name, title, newest: null, room: null, ...numbers };
}

/**
 * Tells of `list` (the conversations have changed), of `message` with a message that arrived, of `change`
 * with an edit or a deletion, and of `back`: the stream was away, and what was sent or read elsewhere
 * meanwhile has to be asked for.
 */
export class Inbox extends EventTarget {
  /** @type {string} */ me;
  /** @type {Map<string, Conversation>} */ conversations = new Map();
  /** @type {import("./api.js").User[]} */ users = [];
  /** Every message up to here was there when the page began: the stream begins after it. */
  place = 0;
  /** @type {Set<number>} Later messages that are known. */ #known = new Set();
  /** @type {Set<number>} Messages that were deleted. An answer from before may still have them. */
  #gone = new Set();
  /** @type {Set<string>} Rooms that were left. An answer from before may still tell of them. */
  #left = new Set();
  /** @type {Map<string, number>} Marks that are not yet sent. */ #marks = new Map();
  /** @type {number | undefined} */ #markTimer;
  /** @type {number | undefined} */ #countTimer;
  /** When the first of the messages expires that are counted. */
  #expires = "";
  #isEnded = false;

  /** @param {string} me */
  constructor(me) {
    super();
    this.me = me;
  }

  /** Asks for everything that the list shows. */
  async load() {
    const [found, rooms, users] = await Promise.all([
      this.#listed(),
      everyPage("rooms", "rooms", "room", { mine: true }),
      this.#allUsers(),
    ]);
    this.users = users;
    this.conversations.clear();
    for (const room of rooms) this.#roomIs(room);
    // A later page may have a user again, with an older message: the first one counts.
    for (const one of found.reverse()) this.#listedIs(one);
    this.#tell();
  }

  /** The conversations with messages. The stream begins after the newest message of the first page:
   *  what comes later arrives by the stream, too, and is known then. */
  async #listed() {
    /** @type {Listed[]} */
    const found = [];
    let before;
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const reply = await call("conversations", { limit: PAGE, before });
      const newest = Math.max(
        0,
        ...reply.conversations.map((/** @type {Listed} */ one) => one.last.id),
      );
      if (page === 0) {
        this.place = newest;
        this.#expiresAt(reply.expires);
      }
      found.push(...reply.conversations);
      before = reply.before;
      if (!reply.more) break;
    }
    return found;
  }

  /**
   * @param {Listed} one
   * @returns {boolean} Whether its numbers are still right.
   */
  #listedIs({ with: user, room, last, unread, mentions, upto }) {
    if (this.#gone.has(last.id)) return false;
    const conversation = this.#at(/** @type {string} */ (room ?? user));
    this.#placeMessage(last);
    // A message has come since the server counted.
    if (last.id < conversation.counted) return false;
    Object.assign(conversation, { unread, mentions, counted: last.id, readUpto: upto });
    return true;
  }

  async #allUsers() {
    try {
      return await everyPage("users", "users", "user");
    } catch (error) {
      // The operator may hide them.
      if (error instanceof Refusal && error.code === "users_hidden") return [];
      throw error;
    }
  }

  /**
   * The conversation of this name; it begins if there was none.
   * @param {string} name
   */
  #at(name) {
    let found = this.conversations.get(name);
    if (!found) {
      const title = this.users.find(({ user }) => user === name)?.display_name ?? "";
      found = newConversation(name, title);
      this.conversations.set(name, found);
    }
    return found;
  }

  /** @param {Room} room */
  #roomIs(room) {
    const conversation = this.#at(room.room);
    conversation.room = room;
    conversation.title = room.topic;
  }

  /** @param {Message} message */
  #placeMessage(message) {
    const conversation = this.#at(conversationOf(message, this.me));
    if (!conversation.newest || conversation.newest.id < message.id) conversation.newest = message;
    return conversation;
  }

  /**
   * The room was created, joined or opened.
   * @param {Room} room
   */
  roomEntered(room) {
    this.#left.delete(room.room);
    this.roomChanged(room);
  }

  /**
   * The room has these settings.
   * @param {Room} room
   */
  roomChanged(room) {
    if (this.#left.has(room.room)) return;
    this.#roomIs(room);
    this.#tell();
  }

  /**
   * The room was left.
   * @param {string} name
   */
  roomLeft(name) {
    this.#left.add(name);
    this.conversations.delete(name);
    this.#tell();
  }

  /** What is unread in all conversations. */
  get unread() {
    let count = 0;
    for (const conversation of this.conversations.values()) count += conversation.unread;
    return count;
  }

  /**
   * A message has arrived, or this page has sent it. One that is known changes nothing.
   * @param {Message} message
   */
  take(message) {
    if (!this.#isNew(message.id)) return;
    this.#known.add(message.id);
    const conversation = this.#placeMessage(message);
    if (message.id > conversation.counted && this.#counts(message, conversation)) {
      conversation.counted = message.id;
      conversation.unread += 1;
      if (message.expires && (!this.#expires || message.expires < this.#expires)) {
        this.#expiresAt(message.expires);
      }
      if (hasMention(message.body, this.me)) conversation.mentions += 1;
    }
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
    this.#tell();
  }

  /**
   * Messages come from the stream and as answers to what this page sends, in any order.
   * @param {number} id
   */
  #isNew(id) {
    return id > this.place && !this.#known.has(id) && !this.#gone.has(id);
  }

  /**
   * Whether a new message counts as unread.
   * @param {Message} message
   * @param {Conversation} conversation
   */
  #counts(message, conversation) {
    if (message.id <= conversation.readUpto) return false;
    if (message.expires && hasPassed(message.expires)) return false;
    if (message.room && message.from === this.me) return false;
    const notify = message.room ? (conversation.room?.notify ?? "all") : "all";
    return notify === "all" || (notify === "mentions" && hasMention(message.body, this.me));
  }

  /**
   * A message was sent on another connection: its text is asked for.
   * @param {number} id
   * @param {string} to
   */
  async sentElsewhere(id, to) {
    if (!this.#isNew(id)) return;
    const { messages } = await call("fetch", { with: to, after: id - 1, limit: 1 });
    for (const message of messages) this.take(message);
  }

  /**
   * A message was edited or deleted: by somebody else, or by this page.
   * @param {Change} change
   */
  amend(change) {
    const { id, at, body } = change;
    if (body === undefined) this.#gone.add(id);
    for (const conversation of this.conversations.values()) {
      if (conversation.newest?.id !== id) continue;
      if (body === undefined) void this.#findNewest(conversation).catch(() => {});
      else conversation.newest = { ...conversation.newest, body, edited: at };
    }
    this.dispatchEvent(new CustomEvent("change", { detail: change }));
    this.#tell();
    // It may have been unread, and an edit may mention the reader or no longer.
    if (this.unread > 0) this.#countTimer ??= window.setTimeout(() => this.#countSoon(), COUNT_WAIT);
  }

  /**
   * The server counts anew when a message that is counted expires.
   * @param {string | undefined} at
   */
  #expiresAt(at) {
    // The clock of this machine may be ahead of the server's.
    const isAgain = at !== undefined && at === this.#expires && hasPassed(at);
    this.#expires = at ?? "";
    if (!at) return;
    const holds = () => !this.#isEnded && this.#expires === at;
    const count = () => void (holds() && this.#countAgain().catch(() => {}));
    whenPassed(at, holds, () => window.setTimeout(count, isAgain ? EXPIRY_RETRY_WAIT : EXPIRY_WAIT));
  }

  #countSoon() {
    this.#countTimer = undefined;
    void this.#countAgain().catch(() => {});
  }

  /**
   * @param {Conversation} conversation Its newest message was deleted.
   * @returns {Promise<void>}
   */
  async #findNewest(conversation) {
    const { name, newest } = conversation;
    // The server's count is of what is left.
    conversation.counted = 0;
    const { messages } = await call("fetch", { with: name, limit: 1 });
    // Another one has come meanwhile.
    if (conversation.newest !== newest) return;
    const last = messages.at(-1) ?? null;
    if (last && this.#gone.has(last.id)) return this.#findNewest(conversation);
    conversation.newest = last;
    if (!conversation.newest) {
      Object.assign(conversation, { unread: 0, mentions: 0 });
      if (!conversation.room) this.conversations.delete(name);
    }
    this.#tell();
  }

  /**
   * A message of the reader was edited or deleted on another connection.
   * @param {number} id
   * @param {string} to
   */
  async changedElsewhere(id, to) {
    const { messages } = await call("fetch", { with: to, after: id - 1, limit: 1 });
    const { body, edited } = messages.find((/** @type {Message} */ one) => one.id === id) ?? {};
    this.amend({ id, at: edited ?? new Date().toISOString(), body });
  }

  /**
   * The reader has seen everything up to this message. The mark is sent a little later.
   * @param {string} name
   * @param {number} upto
   */
  seen(name, upto) {
    const conversation = this.conversations.get(name);
    if (!conversation || upto <= conversation.readUpto) return;
    conversation.readUpto = upto;
    if (conversation.unread === 0) return;
    if (!conversation.newest || upto >= conversation.newest.id) {
      conversation.unread = 0;
      conversation.mentions = 0;
      this.#tell();
    }
    this.#marks.set(name, upto);
    this.#sendMarksIn(MARK_WAIT);
  }

  async #sendMarks() {
    this.#markTimer = undefined;
    for (const [name, upto] of [...this.#marks]) {
      if (this.#isEnded) return;
      try {
        await call("ack", name.startsWith("#") ? { room: name, upto } : { with: name, upto });
        this.#markIsDone(name, upto);
        await this.#readUpto(name, upto);
      } catch (error) {
        if (!isFinal(error)) return this.#sendMarksIn(MARK_RETRY_WAIT);
        this.#markIsDone(name, upto);
        const conversation = this.conversations.get(name);
        if (conversation) conversation.readUpto = 0;
      }
    }
  }

  /**
   * A mark needs no other try. A later one of the conversation may wait already.
   * @param {string} name
   * @param {number} upto
   */
  #markIsDone(name, upto) {
    if (this.#marks.get(name) === upto) this.#marks.delete(name);
  }

  /** @param {number} wait */
  #sendMarksIn(wait) {
    if (this.#isEnded) return;
    this.#markTimer ??= window.setTimeout(() => void this.#sendMarks(), wait);
  }

  /** The user has left: marks that were not sent stay unsent. */
  end() {
    this.#isEnded = true;
    window.clearTimeout(this.#markTimer);
    window.clearTimeout(this.#countTimer);
  }

  /**
   * Something was read elsewhere.
   * @param {string | undefined} name The conversation; without it, everything.
   * @param {number} upto
   */
  async readElsewhere(name, upto) {
    if (name) await this.#readUpto(name, upto);
    else await this.#countAgain();
  }

  /**
   * @param {string} name
   * @param {number} upto
   */
  async #readUpto(name, upto) {
    const conversation = this.conversations.get(name);
    if (!conversation || (conversation.unread === 0 && upto <= conversation.readUpto)) return;
    conversation.readUpto = Math.max(conversation.readUpto, upto);
    if (conversation.newest && upto < conversation.newest.id) return this.#countAgain();
    conversation.unread = 0;
    conversation.mentions = 0;
    this.#tell();
  }

  /** @param {number} [tries] */
  async #countAgain(tries = COUNTS_MAX) {
    const { conversations, expires } = await call("conversations", { limit: PAGE });
    this.#expiresAt(expires);
    let isRight = true;
    for (const one of conversations) {
      // What is seen here and not yet marked there is read.
      if (!this.#marks.has(one.room ?? one.with)) isRight = this.#listedIs(one) && isRight;
    }
    this.#tell();
    if (!isRight && tries > 1) await this.#countAgain(tries - 1);
  }

  /** The stream is there again. */
  async back() {
    this.dispatchEvent(new Event("back"));
    await this.#countAgain();
  }

  #tell() {
    this.dispatchEvent(new Event("list"));
  }
}
