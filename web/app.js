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

/** Ends what runs. What begins now runs until this is called again. */
function leave() {
  session.abort();
  onSignedOut("", () => {});
  session = new AbortController();
  return session.signal;
}

async function start() {
  const signal = leave();
  showLook();
  try {
    if (invitationHere()) return await accept(signal);
    if (somebodyWasHere()) prepare();
    const user = await whoIsHere();
    if (signal.aborted) return;
    if (user) return await enter(user);
    showLogIn(enter);
    whenIdle(prepare);
  } catch (error) {
    if (!signal.aborted) showFailure(error);
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

/** @param {AbortSignal} signal Another address was opened meanwhile. */
async function accept(signal) {
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
  if (!signal.aborted) await showJoin(invitationHere(), signal, joined, refused);
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
  const signal = leave();
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
  const { signal } = session;
  let problem;
  try {
    await logOut();
  } catch (error) {
    problem = error;
  }
  // It was asked twice, or the session has ended meanwhile.
  if (signal.aborted) return;
  if (problem && !(problem instanceof Refusal)) return showFailure(problem);
  // The next user need not learn with whom this one has talked.
  history.replaceState(null, "", "#/");
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
