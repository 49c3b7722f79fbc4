// What this page knows: who is logged in, the conversations with what is unread in them, and the
// messages that arrive. The views are told of changes by events.

import { call, conversationOf, everyPage, fetchPage, isFinal, Refusal } from "./api.js";
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
 * @property {number} readAt The last question about the numbers that was asked before that was known.
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
/** How long marks wait that could not be sent, and questions without an answer. */
const RETRY_WAIT = 5_000;
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
  const numbers = { unread: 0, mentions: 0, counted: 0, readUpto: 0, readAt: 0 };
  return { name, title, newest: null, room: null, ...numbers };
}

/**
 * Tells of `list` (the conversations have changed), of `message` with a message that arrived, of `change`
 * with an edit or a deletion, and of `back`: what is shown has to be asked for again, because the stream
 * was away, or because the reader blocks somebody else than before.
 */
export class Inbox extends EventTarget {
  /** @type {string} */ me;
  /** @type {Map<string, Conversation>} */ conversations = new Map();
  /** @type {import("./api.js").User[]} */ users = [];
  /** Every message up to here was there when the page began: the stream begins after it. */
  place = 0;
  /** @type {Set<number>} Later messages that are known. */ #known = new Set();
  /** @type {Map<number, Change>} What was edited and deleted. An answer from before has it as it was. */
  #changes = new Map();
  /** @type {Set<string>} Rooms that were left. An answer from before may still tell of them. */
  #left = new Set();
  /** @type {Set<string>} Rooms that the server is asked about. */ #sought = new Set();
  /** @type {Set<string>} Whom the reader blocks. */ blocked = new Set();
  /** @type {Map<string, number>} Marks that are not yet sent. */ #marks = new Map();
  /** @type {number | undefined} */ #markTimer;
  /** @type {number | undefined} */ #countTimer;
  /** When the first of the messages expires that are counted. */
  #expires = "";
  /** @type {number | undefined} */ #retryTimer;
  /** How often the server was asked for the numbers. */ #asked = 0;
  /** The question whose answer was taken last. */ #taken = 0;
  #isEnded = false;

  /** @param {string} me */
  constructor(me) {
    super();
    this.me = me;
  }

  /** Asks for everything that the list shows. */
  async load() {
    const [found, rooms, users, { blocked }] = await Promise.all([
      this.#listed(),
      everyPage("rooms", "rooms", "room", { mine: true }),
      this.#allUsers(),
      call("blocks"),
    ]);
    this.users = users;
    this.blocked = new Set(blocked.map((/** @type {{ user: string }} */ { user }) => user));
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
   * @param {number} [asked] The question that it answers,
   * @param {number} [known] and the newest message that was known then.
   * @returns {boolean} Whether its numbers are still right.
   */
  #listedIs({ with: user, room, last, unread, mentions, upto }, asked = 0, known = 0) {
    const newest = this.current(last);
    if (!newest) return false;
    if (room && this.#left.has(room)) return true;
    const conversation = this.#at(/** @type {string} */ (room ?? user));
    if (this.#shouldBeListed(conversation, last.id, known)) this.#forgetNewest(conversation);
    this.#placeMessage(newest);
    // A message has come since the server counted, or some were read.
    if (last.id < conversation.counted || (asked > 0 && asked <= conversation.readAt)) return false;
    Object.assign(conversation, { unread, mentions, counted: last.id, readUpto: upto });
    return true;
  }

  /**
   * Whether an answer with nothing after `last` should have the newest message: then it was deleted, or
   * its sender is blocked. The server lists what users have written, and not what was written to them.
   * @param {Conversation} conversation
   * @param {number} last
   * @param {number} known The newest message that was known when the server was asked.
   */
  #shouldBeListed({ newest }, last, known) {
    if (!newest || newest.id <= last || newest.id > known) return false;
    return Boolean(newest.room) || newest.from !== this.me;
  }

  /** @param {Conversation} conversation Its newest message is not there any more. */
  #forgetNewest(conversation) {
    conversation.newest = null;
    conversation.counted = 0;
  }

  /**
   * A message as it is now, whenever the server was asked for it.
   * @param {Message} message
   * @returns {Message | undefined} Nothing if it was deleted.
   */
  current(message) {
    const change = this.#changes.get(message.id);
    if (!change || (message.edited && message.edited > change.at)) return message;
    const { body, at } = change;
    return body === undefined ? undefined : { ...message, body, edited: at };
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
    const { newest } = conversation;
    if (!newest || newest.id < message.id || !this.current(newest)) conversation.newest = message;
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
    const now = this.current(message);
    if (!now) return;
    if (now.room && !this.conversations.get(now.room)?.room) void this.#findRoom(now.room);
    // It was sent before the room was left; or the room was joined elsewhere, and comes back whole.
    if (now.room && this.#left.has(now.room)) return;
    this.#place(now);
  }

  /** @param {Message} message A new one. */
  #place(message) {
    this.#known.add(message.id);
    const conversation = this.#placeMessage(message);
    if (message.id > conversation.counted && this.#counts(message, conversation)) {
      conversation.counted = message.id;
      conversation.unread += 1;
      if (message.expires && (!this.#expires || message.expires < this.#expires)) {
        this.#expiresAt(message.expires);
      }
      if (message.room && hasMention(message.body, this.me)) conversation.mentions += 1;
    }
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
    this.#tell();
  }

  /**
   * Messages come from the stream and as answers to what this page sends, in any order.
   * @param {number} id
   */
  #isNew(id) {
    return id > this.place && !this.#known.has(id);
  }

  /** @param {string} name A room that was joined elsewhere, perhaps. */
  async #findRoom(name) {
    if (this.#sought.has(name)) return;
    this.#sought.add(name);
    try {
      const room = await call("room", { room: name });
      if (!room.role) return;
      const wasLeft = this.#left.has(name);
      this.roomEntered(room);
      if (wasLeft) await this.back();
    } catch {
      // The next message of the room asks again.
    } finally {
      this.#sought.delete(name);
    }
  }

  /**
   * Whether a new message counts as unread.
   * @param {Message} message
   * @param {Conversation} conversation
   */
  #counts(message, conversation) {
    if (message.id <= conversation.readUpto) return false;
    if (message.expires && hasPassed(message.expires)) return false;
    // One's own is read, unless it was sent to oneself.
    if (message.from === this.me && message.to !== this.me) return false;
    const notify = message.room ? (conversation.room?.notify ?? "all") : "all";
    return notify === "all" || (notify === "mentions" && hasMention(message.body, this.me));
  }

  /**
   * A message was sent on another connection: its text is asked for.
   * @param {number} id
   * @param {string} to
   */
  sentElsewhere(id, to) {
    void this.#orLater(async () => {
      if (!this.#isNew(id)) return;
      const { messages } = await call("fetch", { with: to, after: id - 1, limit: 1 });
      for (const message of messages) this.take(message);
    });
  }

  /**
   * Does something that the stream does not ask for again. If it fails, all is asked for a little later.
   * @param {() => Promise<void>} act
   */
  async #orLater(act) {
    try {
      await act();
    } catch (error) {
      if (this.#isEnded || isFinal(error)) return;
      const again = () => {
        this.#retryTimer = undefined;
        void this.back();
      };
      this.#retryTimer ??= window.setTimeout(again, RETRY_WAIT);
    }
  }

  /**
   * A message was edited or deleted: by somebody else, or by this page. Changes come from the stream
   * and as answers, in any order.
   * @param {Change} change
   */
  amend(change) {
    const { id, at, body } = change;
    if (!this.#isNewer(change)) return;
    this.#changes.set(id, change);
    for (const conversation of this.conversations.values()) {
      const { newest, counted } = conversation;
      // The server's count is of what is left.
      if (body === undefined && counted === id) conversation.counted = 0;
      if (newest?.id !== id) continue;
      const rest = body === undefined ? { body: "", title: undefined } : { body, edited: at };
      conversation.newest = { ...newest, ...rest };
      if (body === undefined) void this.#orLater(() => this.#findNewest(conversation, id));
    }
    this.dispatchEvent(new CustomEvent("change", { detail: change }));
    this.#tell();
    // It may have been unread, and an edit may mention the reader or no longer.
    const count = () => {
      this.#countTimer = undefined;
      this.#count();
    };
    if (this.unread > 0) this.#countTimer ??= window.setTimeout(count, COUNT_WAIT);
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
    const count = () => void (holds() && this.#count());
    whenPassed(at, holds, () => window.setTimeout(count, isAgain ? EXPIRY_RETRY_WAIT : EXPIRY_WAIT));
  }

  /**
   * Whether no later change of the message is known.
   * @param {Change} change
   */
  #isNewer({ id, change, at, body }) {
    const known = this.#changes.get(id);
    if (!known) return true;
    // Nothing comes after a deletion.
    if (known.body === undefined || body === undefined) return known.body !== undefined;
    return change && known.change ? change > known.change : at >= known.at;
  }

  #count() {
    void this.#orLater(() => this.#countAgain());
  }

  /**
   * @param {Conversation} conversation
   * @param {number} id Its newest message, which was deleted.
   * @returns {Promise<void>}
   */
  async #findNewest(conversation, id) {
    const { name } = conversation;
    const { messages } = await fetchPage({ with: name, limit: 1 });
    // Another one has come meanwhile, or the room was left.
    if (conversation.newest?.id !== id || this.conversations.get(name) !== conversation) return;
    const [last] = messages;
    if (last && !this.current(last)) return this.#findNewest(conversation, id);
    if (last) this.#placeMessage(last);
    else this.#isEmpty(conversation);
    this.#tell();
  }

  /** @param {Conversation} conversation It has no message any more. */
  #isEmpty(conversation) {
    this.#forgetNewest(conversation);
    Object.assign(conversation, { unread: 0, mentions: 0 });
    if (!conversation.room) this.conversations.delete(conversation.name);
  }

  /**
   * A message of the reader was edited or deleted on another connection.
   * @param {number} id
   * @param {string} to
   */
  changedElsewhere(id, to) {
    void this.#orLater(async () => {
      const { messages } = await call("fetch", { with: to, after: id - 1, limit: 1 });
      const { body, edited } = messages.find((/** @type {Message} */ one) => one.id === id) ?? {};
      this.amend({ id, at: edited ?? new Date().toISOString(), body });
    });
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
        this.#readUpto(name, upto);
      } catch (error) {
        if (!isFinal(error)) return this.#sendMarksIn(RETRY_WAIT);
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
    window.clearTimeout(this.#retryTimer);
  }

  /**
   * Something was read elsewhere.
   * @param {string | undefined} name The conversation; without it, everything.
   * @param {number} upto
   */
  readElsewhere(name, upto) {
    if (name) this.#readUpto(name, upto);
    else this.#count();
  }

  /**
   * @param {string} name
   * @param {number} upto
   */
  #readUpto(name, upto) {
    const conversation = this.conversations.get(name);
    if (!conversation) return;
    conversation.readAt = this.#asked;
    if (conversation.unread === 0 && upto <= conversation.readUpto) return;
    conversation.readUpto = Math.max(conversation.readUpto, upto);
    if (conversation.newest && upto < conversation.newest.id) return this.#count();
    conversation.unread = 0;
    conversation.mentions = 0;
    this.#tell();
  }

  /** @param {number} [tries] */
  async #countAgain(tries = COUNTS_MAX) {
    this.#asked += 1;
    const asked = this.#asked;
    const newest = [...this.conversations.values()].map((one) => one.newest?.id ?? 0);
    const known = Math.max(this.place, ...newest);
    const { conversations, before = 0, expires } = await call("conversations", { limit: PAGE });
    // The answer to a later question has come before this one.
    if (asked < this.#taken || this.#isEnded) return;
    this.#taken = asked;
    this.#expiresAt(expires);
    let isRight = true;
    for (const one of conversations) {
      // What is seen here and not yet marked there is read.
      if (this.#marks.has(one.room ?? one.with)) continue;
      isRight = this.#listedIs(one, asked, known) && isRight;
    }
    const names = new Set(conversations.map((/** @type {Listed} */ one) => one.room ?? one.with));
    for (const conversation of [...this.conversations.values()]) {
      if (names.has(conversation.name)) continue;
      const { counted } = conversation;
      if (this.#shouldBeListed(conversation, before, known)) this.#isEmpty(conversation);
      // Only the reader has written what is left.
      else if (counted <= known && (before === 0 || counted > before)) {
        Object.assign(conversation, { unread: 0, mentions: 0 });
      }
    }
    this.#tell();
    if (!isRight && tries > 1) await this.#countAgain(tries - 1);
  }

  /** What is shown may be no longer so. */
  async back() {
    this.dispatchEvent(new Event("back"));
    const mine = [...this.conversations.values()].filter(
      ({ newest }) => newest && !newest.room && newest.from === this.me,
    );
    await this.#orLater(async () => {
      await Promise.all([this.#countAgain(), ...mine.map((one) => this.#lookAgain(one))]);
    });
  }

  /** @param {Conversation} conversation Its newest message is the reader's. */
  async #lookAgain(conversation) {
    const { name, newest } = conversation;
    const { messages } = await fetchPage({ with: name, limit: 1 });
    // Another one has come meanwhile, or this one was changed.
    if (conversation.newest !== newest) return;
    if (messages.length === 0) this.#isEmpty(conversation);
    else conversation.newest = this.current(messages[0]) ?? newest;
    this.#tell();
  }

  /**
   * Blocks a user, or no longer.
   * @param {string} user
   * @param {boolean} isBlocked
   */
  async block(user, isBlocked) {
    await call(isBlocked ? "block" : "unblock", { user });
    if (isBlocked) this.blocked.add(user);
    else this.blocked.delete(user);
    this.#tell();
    await this.back();
  }

  #tell() {
    this.dispatchEvent(new Event("list"));
  }
}
