// The page: it asks who is logged in, shows the log-in or the inbox, and what its address names.

import { logOut, onSignedOut, Refusal, whoIsHere } from "./api.js";
import { ConversationList } from "./conversation-list.js";
import { ConversationView } from "./conversation.js";
import { fill, button, make } from "./dom.js";
import { Inbox } from "./inbox.js";
import { invitationHere, leaveInvitation, showJoin } from "./join.js";
import { Live } from "./live.js";
import { showLogIn } from "./log-in.js";
import { showNotices } from "./notices.js";
import { Outbox } from "./outbox.js";
import { showRoom, showRooms } from "./rooms.js";
import { SearchView } from "./search.js";
import { showLook, showSettings } from "./settings.js";
import { explain, say } from "./words.js";

/** Ends what runs for the user who is logged in. */
let leave = () => {};

async function start() {
  leave();
  showLook();
  try {
    const invitation = invitationHere();
    if (invitation) return await showJoin(invitation, (name) => void enter(name), notInvited);
    const user = await whoIsHere();
    if (user) await enter(user);
    else showLogIn((name) => void enter(name));
  } catch (error) {
    showFailure(error);
  }
}

/**
 * The invitation cannot be accepted. The reader may have an account already, and logs in.
 * @param {string} why
 */
function notInvited(why) {
  leaveInvitation();
  showLogIn((name) => void enter(name), why);
}

/** @param {unknown} error */
function showFailure(error) {
  fill(
    document.body,
    make(
      "main",
      { class: "entrance" },
      make(
        "p",
        { role: "alert" },
        explain(error),
        " ",
        button(say("page_try_again"), () => void start(), { class: "main" }),
      ),
    ),
  );
}

/** @param {string} user */
async function enter(user) {
  const ends = new AbortController();
  const { signal } = ends;
  leave = () => {
    ends.abort();
    onSignedOut("", () => {});
  };
  onSignedOut(user, () => signedOut(say("page_session_ended")));
  const inbox = new Inbox(user);
  try {
    await inbox.load();
  } catch (error) {
    if (!signal.aborted) showFailure(error);
    return;
  }
  const outbox = await Outbox.open(user);
  if (signal.aborted) return outbox.end();
  const offline = make("p", { class: "offline", role: "status" });
  const live = new Live(inbox, (connected) => fill(offline, !connected && say("page_offline")));
  const list = new ConversationList(inbox, {
    rooms: () => void showRooms(inbox),
    search: () => {
      location.hash = "#/search/";
    },
    settings: () => void showSettings(user, () => void out()),
  });
  const place = make("div", { class: "place" });
  /** @type {ConversationView | null} */
  let conversation = null;

  async function out() {
    try {
      await logOut();
    } catch (error) {
      if (!(error instanceof Refusal)) return showFailure(error);
    }
    signedOut();
  }

  function signedOut(/** @type {string | undefined} */ why = undefined) {
    leave();
    document.querySelector("dialog")?.remove();
    showLogIn((name) => void enter(name), why);
  }

  leave = () => {
    ends.abort();
    onSignedOut("", () => {});
    live.end();
    inbox.end();
    outbox.end();
    conversation?.end();
    leave = () => {};
  };

  /** Shows what the address names. */
  function show() {
    const [, kind = "", first = "", second] = location.hash.split("/").map(decode);
    conversation?.end();
    conversation = null;
    document.body.dataset.place = kind === "with" || kind === "search" ? kind : "list";
    list.current = kind === "with" ? first : "";
    if (kind === "with" && first) {
      conversation = new ConversationView(first, inbox, outbox, {
        back: () => {
          location.hash = "#/";
        },
        details: () => void showRoom(inbox, first),
      });
      fill(place, conversation.element);
      void conversation.open(Number(second) || undefined);
      if (matchMedia("(hover: hover)").matches && !second) conversation.focus();
    } else if (kind === "search") {
      const view = new SearchView(inbox.me, first, () => {
        location.hash = "#/";
      });
      fill(place, view.element);
      view.focus();
    } else {
      fill(place, make("p", { class: "empty" }, say("page_choose")));
    }
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
}

/** @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The worker keeps the files of the page. Its address is the only one that this policy lets pass. */
function registerWorker() {
  if (!("serviceWorker" in navigator)) return;
  const address = "/service-worker.js";
  const types = /** @type {any} */ (window).trustedTypes;
  const policy = types?.createPolicy("worker", { createScriptURL: () => address });
  navigator.serviceWorker
    .register(policy ? policy.createScriptURL(address) : address)
    .catch(() => {});
}

// A link of an invitation that is opened where the page is open already.
window.addEventListener("hashchange", () => {
  if (invitationHere()) void start();
});
registerWorker();
void start();
