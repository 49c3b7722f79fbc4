// What was written and is not yet acknowledged. It lies in IndexedDB until the server has it, each
// message with a key, so it is sent once: also if the tab is killed, the network is away, or two
// tabs send at a time.

import { call, isFinal, newKey, Refusal } from "./api.js";

/**
 * @typedef {object} Letter
 * @property {string} key
 * @property {string} to
 * @property {string} body
 * @property {number} [reply_to]
 * @property {string} at When it was written.
 * @property {{ code: string, message: string, users?: string[] }} [refused] Why it cannot be sent.
 */

const LETTERS = "letters";
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;
/** Tells of `change`, and of `sent` with the message that the server has. */
export class Outbox extends EventTarget {
  /** @type {Letter[]} */ letters = [];
  #database;
  #me;
  #channel;
  #isSending = false;
  /** @type {number | undefined} */ #timer;
  #wait = FIRST_WAIT;
  #ended = false;

  /**
   * Opens the outbox of a user.
   * @param {string} me
   */
  static async open(me) {
    const request = indexedDB.open(`outbox of ${me}`, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(LETTERS, { keyPath: "key" });
    const outbox = new Outbox(me, await done(request));
    await outbox.#reload();
    return outbox;
  }

  /**
   * @param {string} me
   * @param {IDBDatabase} database
   */
  constructor(me, database) {
    super();
    this.#me = me;
    this.#database = database;
    this.#channel = new BroadcastChannel(`outbox of ${me}`);
    this.#channel.onmessage = () => void this.#reload();
    window.addEventListener("online", this.flush);
  }

  /** Stops sending. What lies here stays. */
  end() {
    this.#ended = true;
    window.clearTimeout(this.#timer);
    window.removeEventListener("online", this.flush);
    this.#channel.close();
    this.#database.close();
  }

  /**
   * Puts a message in, and sends it.
   * @param {string} to
   * @param {string} body
   * @param {number} [replyTo]
   */
  async add(to, body, replyTo) {
    /** @type {Letter} */
    const letter = { key: newKey(), to, body, at: new Date().toISOString() };
    if (replyTo) letter.reply_to = replyTo;
    await this.#put(letter);
    this.flush();
  }

  /**
   * Sends a refused message again.
   * @param {Letter} letter
   */
  async retry(letter) {
    const { refused: _, ...again } = letter;
    await this.#put(again);
    this.flush();
  }

  /**
   * Takes a message out.
   * @param {Letter} letter
   */
  async discard(letter) {
    await done(this.#store("readwrite").delete(letter.key));
    await this.#changed();
  }

  /** Sends what waits, in the order in which it was written. Another tab may be at it. */
  flush = () => {
    window.clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isSending || this.#ended) return;
    this.#isSending = true;
    // Where the browser has no locks, the keys alone make sure that nothing is sent twice.
    const name = `outbox of ${this.#me}`;
    const all = navigator.locks
      ? navigator.locks.request(name, { ifAvailable: true }, async (lock) => {
          if (lock !== null) await this.#sendAll();
        })
      : this.#sendAll();
    void all
      .catch(() => {})
      .then(() => {
        this.#isSending = false;
        // Also what was written after this had looked for the last time.
        const waits = this.letters.some(({ refused }) => !refused);
        if (waits && !this.#ended) this.#timer = window.setTimeout(this.flush, this.#wait);
      });
  };

  async #sendAll() {
    await this.#reload();
    /** Whose inbox is full: what is for them waits, in its order, and holds up nothing else. */
    const full = new Set();
    for (let letter; (letter = this.letters.find((it) => !it.refused && !full.has(it.to)));) {
      if (this.#ended) return;
      try {
        await this.#send(letter);
        this.#wait = FIRST_WAIT;
      } catch (error) {
        if (isFinal(error)) {
          const { code, message, users } = error;
          await this.#put({ ...letter, refused: { code, message, users } });
          continue;
        }
        this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
        if (!(error instanceof Refusal) || error.code !== "inbox_full") return;
        full.add(letter.to);
      }
    }
  }

  /** @param {Letter} letter */
  async #send(letter) {
    const { key, to, body, reply_to } = letter;
    const reply = await call("post", { key, to: [to], body, reply_to });
    const place = to.startsWith("#") ? { room: to } : { to };
    const message = { id: reply.id, at: reply.at, from: this.#me, ...place, body, reply_to };
    await done(this.#store("readwrite").delete(key));
    await this.#changed();
    this.dispatchEvent(new CustomEvent("sent", { detail: message }));
  }

  /** @param {Letter} letter */
  async #put(letter) {
    await done(this.#store("readwrite").put(letter));
    await this.#changed();
  }

  async #changed() {
    if (!this.#ended) this.#channel.postMessage("changed");
    await this.#reload();
  }

  async #reload() {
    if (this.#ended) return;
    // Keys begin with the time, so their order is that of writing.
    this.letters = await done(this.#store("readonly").getAll());
    this.dispatchEvent(new Event("change"));
  }

  /** @param {IDBTransactionMode} mode */
  #store(mode) {
    return this.#database.transaction(LETTERS, mode, { durability: "strict" }).objectStore(LETTERS);
  }
}

/**
 * The result of a request, once its transaction is complete.
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function done(request) {
  return new Promise((resolve, reject) => {
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const { transaction } = request;
      // Opening a database has a transaction only if it changes the database.
      if (!transaction || transaction.mode === "versionchange") return resolve(request.result);
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
    };
  });
}
