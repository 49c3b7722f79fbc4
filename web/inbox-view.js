// The inbox: the list of conversations, and beside it what the address names.

import { ConversationList } from "./conversation-list.js";
import { ConversationView } from "./conversation.js";
import { button, dialog, fill, make, whenIdle } from "./dom.js";
import { Inbox } from "./inbox.js";
import { Live } from "./live.js";
import { showNotices } from "./notices.js";
import { Outbox } from "./outbox.js";
import { hereNodes, Presence } from "./presence.js";
import { say } from "./words.js";

/** What is not seen at first. */
const LATER = {
  blocks: () => import("./blocks.js"),
  rooms: () => import("./rooms.js"),
  search: () => import("./search.js"),
  settings: () => import("./settings.js"),
};

/**
 * Does something with a part of the page that may have to be loaded.
 * @template Part
 * @param {() => Promise<Part>} load
 * @param {() => boolean} isWanted Whether the reader still waits for it, once it is there.
 * @param {(part: Part) => void} act
 */
async function withPart(load, isWanted, act) {
  let part;
  try {
    part = await load();
  } catch {
    if (!isWanted()) return;
    // The server is away, or has the files of another release.
    const again = button(say("page_reload"), () => location.reload(), { class: "main" });
    dialog(say("page_part_missing"), say("page_close"), again);
    return;
  }
  if (isWanted()) act(part);
}

/** Loads what is not seen at first, so that it is there when the server is away, or another one. */
function loadTheRest() {
  for (const load of Object.values(LATER)) load().catch(() => {});
}

/**
 * Shows the inbox of a user.
 * @param {string} user
 * @param {AbortSignal} signal Ends it.
 * @param {() => void} logOut
 */
export async function showInbox(user, signal, logOut) {
  const inbox = new Inbox(user);
  await inbox.load();
  const outbox = await Outbox.open(user);
  if (signal.aborted) return outbox.end();
  const isHere = () => !signal.aborted;
  const offline = make("p", { class: "offline", role: "status" });
  const live = new Live(inbox, (connected) => fill(offline, !connected && say("page_offline")));
  const presence = new Presence(inbox, signal);
  const list = new ConversationList(inbox, presence, {
    rooms: () => void withPart(LATER.rooms, isHere, ({ showRooms }) => void showRooms(inbox)),
    search: () => {
      location.hash = "#/search/";
    },
    settings: () =>
      void withPart(LATER.settings, isHere, ({ showSettings }) =>
        showSettings(inbox, presence, logOut),
      ),
  });
  const place = make("div", { class: "place" });
  /** @type {{ end: () => void } | null} What stands beside the list, if it has to be ended. */
  let view = null;
  signal.addEventListener("abort", () => {
    live.end();
    inbox.end();
    outbox.end();
    view?.end();
  });

  const toTheList = () => {
    location.hash = "#/";
  };

  /** Shows what the address names. */
  function show() {
    const [, kind = "", first = "", second] = location.hash.split("/").map(decode);
    view?.end();
    view = null;
    document.body.dataset.place = kind === "with" || kind === "search" ? kind : "list";
    list.current = kind === "with" ? first : "";
    if (kind === "with" && first) showConversation(first, Number(second) || undefined);
    else if (kind === "search") void showSearch(first);
    else fill(place, make("p", { class: "empty" }, say("page_choose")));
  }

  /**
   * @param {string} name
   * @param {number} [id] A message in it.
   */
  function showConversation(name, id) {
    const isShown = () => isHere() && list.current === name;
    const conversation = new ConversationView(name, inbox, outbox, {
      back: toTheList,
      details: () =>
        name.startsWith("#")
          ? void withPart(LATER.rooms, isShown, ({ showRoom }) => void showRoom(inbox, name))
          : void withPart(LATER.blocks, isShown, ({ showUser }) => showUser(inbox, presence, name)),
      here,
    });
    view = conversation;
    fill(place, conversation.element);
    showHere(name);
    presence.refresh();
    void conversation.open(id);
    if (matchMedia("(hover: hover)").matches && !id) conversation.focus();
  }

  /** Beside the name of a user: whether they are here, and whether the reader blocks them. */
  const here = make("p", { class: "presence" });
  const showHere = (/** @type {string} */ name) => {
    const blocked = inbox.blocked.has(name) && make("small", {}, say("page_blocked"));
    fill(here, blocked, ...hereNodes(presence.of(name)));
  };
  presence.addEventListener("change", () => showHere(list.current));
  inbox.addEventListener("list", () => showHere(list.current));

  /** @param {string} query */
  async function showSearch(query) {
    const { hash } = location;
    const isWanted = () => isHere() && hash === location.hash;
    await withPart(LATER.search, isWanted, ({ SearchView }) => {
      view?.end();
      const search = new SearchView(inbox, query, toTheList);
      view = search;
      fill(place, search.element);
      search.focus();
    });
  }

  showNotices(inbox, signal);
  outbox.addEventListener(
    "sent",
    (event) => inbox.take(/** @type {CustomEvent} */ (event).detail),
    { signal },
  );
  window.addEventListener("hashchange", show, { signal });
  document.addEventListener(
    "keydown",
    (event) => {
      const field =
        event.target instanceof Element && event.target.closest("input, textarea, select, dialog");
      if (event.key === "/" && !field) {
        event.preventDefault();
        list.focus();
      }
    },
    { signal },
  );
  fill(document.body, offline, make("main", { class: "inbox" }, list.element, place));
  list.show();
  show();
  live.start();
  outbox.flush();
  presence.refresh();
  whenIdle(loadTheRest);
}

/** @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
