// The page: it asks who is logged in, and shows the log-in or the inbox. Everything that the log-in
// does not need comes later.

import { logOut, onSignedOut, Refusal, somebodyWasHere, whoIsHere } from "./api.js";
import { button, fill, make, whenIdle } from "./dom.js";
import { showLogIn } from "./log-in.js";
import { showLook } from "./look.js";
import { explain, say } from "./words.js";

/** The address of an invitation begins so. A browser sends the secret behind it to nobody. */
const INVITATION = "#/join/";

const loadInbox = () => import("./inbox-view.js");

/** Ends what runs for the user who is logged in. */
let session = new AbortController();

function leave() {
  session.abort();
  onSignedOut("", () => {});
}

async function start() {
  leave();
  showLook();
  try {
    if (invitationHere()) return await accept();
    if (somebodyWasHere()) prepare();
    const user = await whoIsHere();
    if (user) return await enter(user);
    showLogIn(enter);
    whenIdle(prepare);
  } catch (error) {
    showFailure(error);
  }
}

/** Begins to load the inbox. Whoever needs it asks again, and learns whether that fails. */
function prepare() {
  loadInbox().catch(() => {});
}

/** The secret in the address, if it is that of an invitation. */
function invitationHere() {
  return location.hash.startsWith(INVITATION) ? location.hash.slice(INVITATION.length) : "";
}

/** Takes the secret out of the address and out of the history. */
function leaveInvitation() {
  history.replaceState(null, "", "#/");
}

async function accept() {
  const { showJoin } = await import("./join.js");
  const joined = (/** @type {string} */ user) => {
    leaveInvitation();
    enter(user);
  };
  // It cannot be accepted. The reader may have an account already, and logs in.
  const refused = (/** @type {string} */ why) => {
    leaveInvitation();
    showLogIn(enter, why);
  };
  await showJoin(invitationHere(), joined, refused);
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
  leave();
  session = new AbortController();
  const { signal } = session;
  onSignedOut(user, () => signedOut(say("page_session_ended")));
  try {
    const { showInbox } = await loadInbox();
    await showInbox(user, signal, () => void out());
  } catch (error) {
    if (signal.aborted) return;
    leave();
    showFailure(error);
  }
}

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
  showLogIn(enter, why);
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
