// The live stream: server-sent events, one stream a tab. The browser resumes it by Last-Event-ID;
// where it gives up, this module begins another one after its last event.

import { call } from "./api.js";

/** @typedef {import("./inbox.js").Inbox} Inbox */

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;

export class Live {
  /** @type {EventSource | null} */ #source = null;
  /** @type {number | undefined} */ #timer;
  #wait = FIRST_WAIT;
  /** The stream continues after this message. */ #place;
  /** Something may have happened of which no stream told: while it was away, or before it began. */
  #isBehind = true;
  #isEnded = false;
  #inbox;
  #tell;

  /**
   * @param {Inbox} inbox
   * @param {(connected: boolean) => void} tell
   */
  constructor(inbox, tell) {
    this.#inbox = inbox;
    this.#place = inbox.place;
    this.#tell = tell;
    window.addEventListener("online", this.#now);
    document.addEventListener("visibilitychange", this.#now);
  }

  start() {
    this.stop();
    const source = new EventSource(`/api/v1/events?since=${this.#place}`);
    this.#source = source;
    source.addEventListener("open", () => {
      this.#wait = FIRST_WAIT;
      this.#tell(true);
      if (this.#isBehind) void this.#inbox.back();
      this.#isBehind = false;
    });
    source.addEventListener("error", () => {
      this.#tell(false);
      this.#isBehind = true;
      if (source.readyState === EventSource.CLOSED) this.#later();
    });
    source.addEventListener("message", (event) => {
      this.#place = Number(event.lastEventId) || this.#place;
      this.#take(JSON.parse(event.data));
    });
  }

  stop() {
    window.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#source?.close();
    this.#source = null;
  }

  /** Ends the stream for good. */
  end() {
    this.#isEnded = true;
    this.stop();
    window.removeEventListener("online", this.#now);
    document.removeEventListener("visibilitychange", this.#now);
  }

  #later() {
    this.stop();
    this.#timer = window.setTimeout(() => void this.#again(), this.#wait);
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
  }

  async #again() {
    try {
      // If the session has ended, this says so, and the page shows the log-in.
      await call("whoami");
      if (!this.#isEnded) this.start();
    } catch {
      if (!this.#isEnded) this.#later();
    }
  }

  /** The reader is back, or the network: no need to wait any longer. */
  #now = () => {
    if (this.#timer !== undefined && document.visibilityState === "visible") {
      window.clearTimeout(this.#timer);
      void this.#again();
    }
  };

  /** @param {any} event */
  #take(event) {
    switch (event.event) {
      case "message":
        this.#inbox.take(event);
        break;
      case "sent":
        this.#inbox.sentElsewhere(event.id, event.to);
        break;
      case "edited":
      case "deleted":
        this.#inbox.amend(event);
        break;
      case "changed":
        this.#inbox.changedElsewhere(event.id, event.to);
        break;
      case "read":
        this.#inbox.readElsewhere(event.with ?? event.room, event.upto);
        break;
    }
  }
}
