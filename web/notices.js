// What shows outside of the page: the number in its title, and notifications while it is open.

import { conversationOf } from "./api.js";
import { addressOf } from "./conversation-list.js";
import { hasMention } from "./text.js";

/** @typedef {import("./api.js").Message} Message */
/** @typedef {import("./api.js").Change} Change */
/** @typedef {import("./inbox.js").Inbox} Inbox */

const KEPT = "notices";

export function wantsNotices() {
  return localStorage.getItem(KEPT) === "yes" && Notification.permission === "granted";
}

/**
 * Turns notifications on or off. Returns whether they are on.
 * @param {boolean} wanted
 */
export async function wantNotices(wanted) {
  const granted = wanted && (await Notification.requestPermission()) === "granted";
  if (granted) localStorage.setItem(KEPT, "yes");
  else localStorage.removeItem(KEPT);
  return granted;
}

/**
 * @param {Inbox} inbox
 * @param {AbortSignal} signal Ends them: what they say is not for whoever comes next.
 */
export function showNotices(inbox, signal) {
  /** @type {Map<string, { id: number, notice: Notification }>} The last one of each conversation. */
  const shown = new Map();
  signal.addEventListener("abort", () => {
    for (const { notice } of shown.values()) notice.close();
  });
  inbox.addEventListener(
    "change",
    (event) => {
      const { id, body } = /** @type {CustomEvent<Change>} */ (event).detail;
      if (body !== undefined) return;
      for (const last of shown.values()) if (last.id === id) last.notice.close();
    },
    { signal },
  );
  const count = () => {
    document.title = inbox.unread > 0 ? `(${inbox.unread}) Chat` : "Chat";
  };
  count();
  inbox.addEventListener("list", count, { signal });
  inbox.addEventListener(
    "message",
    (event) => {
      const message = /** @type {CustomEvent<Message>} */ (event).detail;
      if (!("Notification" in window) || !wantsNotices()) return;
      if (message.from === inbox.me || document.hasFocus()) return;
      const name = conversationOf(message, inbox.me);
      const notify = inbox.conversations.get(name)?.room?.notify ?? "all";
      if (notify === "none" || (notify === "mentions" && !hasMention(message.body, inbox.me)))
        return;
      const text = message.title ?? message.body;
      const notice = new Notification(name === message.from ? name : `${name} · ${message.from}`, {
        body: text.slice(0, 200),
        tag: name,
        icon: new URL("icon.svg", import.meta.url).href,
      });
      shown.set(name, { id: message.id, notice });
      notice.onclick = () => {
        window.focus();
        location.hash = addressOf(name, message.id);
        notice.close();
      };
    },
    { signal },
  );
}
