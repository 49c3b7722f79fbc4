// Calls of the server: each verb of the line protocol is a POST with a JSON object
// (docs/http.md). The session is in a cookie that this page cannot read.

/**
 * @typedef {object} Message
 * @property {number} id
 * @property {string} at
 * @property {string} from
 * @property {string} [to] The user to whom it went;
 * @property {string} [room] or the room.
 * @property {string} body
 * @property {string} [title]
 * @property {number} [priority]
 * @property {string[]} [tags]
 * @property {string} [click]
 * @property {number} [reply_to]
 * @property {string} [expires] After this time it counts as unread for nobody.
 * @property {string} [edited] When its text was changed last.
 * @property {[from: number, to: number][]} [matches] Where a search found its words,
 * @property {[from: number, to: number][]} [title_matches] also in the title.
 */

/**
 * An edit of a message, or its deletion.
 * @typedef {object} Change
 * @property {number} id The message.
 * @property {number} [change] Its place in the message log, if the server has said it.
 * @property {string} at
 * @property {string} [body] Its new text. A deletion has none.
 */

/**
 * @typedef {object} Room
 * @property {string} room
 * @property {string} topic
 * @property {boolean} private
 * @property {"members" | "moderators"} posting
 * @property {"all" | "joined"} history
 * @property {number} members
 * @property {string} [archived]
 * @property {"owner" | "moderator" | "member"} [role]
 * @property {"all" | "mentions" | "none"} [notify]
 * @property {boolean} [invited]
 * @property {boolean} [everybody]
 */

/** @typedef {{ user: string, display_name: string }} User */
/** @typedef {{ messages: Message[], more: boolean, more_before?: boolean, upto?: number }} Page */

/** The server has refused a request: nothing was done, or (`internal`) the outcome is unknown. */
export class Refusal extends Error {
  /** @param {{ code: string, message: string, users?: string[], retry_after?: number }} reply */
  constructor(reply) {
    super(reply.message);
    this.code = reply.code;
    this.users = reply.users;
    this.retryAfter = reply.retry_after;
  }
}

/** The server could not be reached, or something between here and it has answered. */
export class Unreachable extends Error {}

/** Refusals that end by themselves, or whose outcome is unknown. */
const PASSING = new Set([
  "busy",
  "internal",
  "shutting_down",
  "too_many_connections",
  "storage_full",
  "inbox_full",
  "rate_limited",
  "no_session",
]);

/**
 * Whether the same request would be refused again. Otherwise it is worth another try.
 * @param {unknown} error
 * @returns {error is Refusal}
 */
export function isFinal(error) {
  return error instanceof Refusal && !PASSING.has(error.code);
}

/** In the storage of the browser: whose session is in its cookie, which all tabs share. */
const USER = "user";
/** Whose page this tab shows, and what to do when this user is no longer logged in. */
let me = "";
let whenSignedOut = () => {};

/**
 * @param {string} user Empty if nobody's page is shown.
 * @param {() => void} act
 */
export function onSignedOut(user, act) {
  me = user;
  whenSignedOut = act;
}

/** Whether the cookie is still that of this tab's user: another tab may have logged in another one. */
function isMine() {
  return me === "" || (localStorage.getItem(USER) ?? me) === me;
}

window.addEventListener("storage", () => {
  if (!isMine()) whenSignedOut();
});

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>}
 */
async function request(method, path, body) {
  let response;
  let reply;
  try {
    response = await fetch(path, {
      method,
      headers: { "content-type": "application/json" },
      body: body && JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
    });
    reply = await response.json();
  } catch (error) {
    throw new Unreachable(String(error));
  }
  if (reply?.status === "OK") return reply;
  if (typeof reply?.code === "string") throw new Refusal(reply);
  throw new Unreachable(`${response.status} ${response.statusText}`);
}

/**
 * Calls a verb.
 * @param {string} verb
 * @param {object} [fields]
 * @returns {Promise<any>}
 */
export async function call(verb, fields) {
  const tell = whenSignedOut;
  try {
    if (!isMine()) throw new Refusal({ code: "no_session", message: "somebody else is logged in" });
    return await request("POST", `/api/v1/${verb}`, fields ?? {});
  } catch (error) {
    // A late answer does not end the session of the user who has logged in since.
    const isOurs = tell === whenSignedOut;
    if (error instanceof Refusal && error.code === "no_session" && isOurs) tell();
    throw error;
  }
}

/**
 * A page of messages. Those of users whom the reader blocks are left out, so a page can be empty
 * though there are more: then the next one is asked for.
 * @param {{ with: string, limit: number, after?: number, before?: number, around?: number }} fields
 * @returns {Promise<Page>}
 */
export async function fetchPage(fields) {
  let page = await call("fetch", fields);
  while (page.messages.length === 0 && page.more && page.upto) {
    const next = fields.after === undefined ? { before: page.upto } : { after: page.upto };
    page = await call("fetch", { ...fields, ...next });
  }
  return page;
}

/**
 * All rows of a list that comes in pages.
 * @param {string} verb
 * @param {string} rows What the reply calls them.
 * @param {string} name The field that names a row: the next page is asked for after the last name.
 * @param {object} [fields]
 * @returns {Promise<any[]>}
 */
export async function everyPage(verb, rows, name, fields) {
  /** @type {any[]} */
  const found = [];
  for (let reply; reply?.more !== false;) {
    reply = await call(verb, { ...fields, after: found.at(-1)?.[name] });
    found.push(...reply[rows]);
  }
  return found;
}

/** Whether somebody was logged in in this browser when it was last used. */
export const somebodyWasHere = () => localStorage.getItem(USER) !== null;

/**
 * Who is logged in in this browser, if anybody is.
 * @returns {Promise<string | undefined>}
 */
export async function whoIsHere() {
  const { user } = await request("GET", "/page/session");
  if (user) localStorage.setItem(USER, user);
  return user;
}

/**
 * Opens a session; its cookie comes with the response.
 * @param {string} user
 * @param {string} password
 */
export function logIn(user, password) {
  // Before the cookie comes: no other tab must send what its user has written as this one.
  localStorage.setItem(USER, user);
  return request("POST", "/page/session", { user, password });
}

/** Ends the session. */
export function logOut() {
  return request("DELETE", "/page/session");
}

/**
 * The conversation that a message belongs to: a room, or the other user.
 * @param {Message} message
 * @param {string} me
 */
export function conversationOf(message, me) {
  if (message.room) return message.room;
  return message.from === me ? /** @type {string} */ (message.to) : message.from;
}

/**
 * A key that makes a message one message, however often it is sent. It begins with the time
 * (a UUID of version 7), which is the fastest for the server.
 */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  new DataView(bytes.buffer).setUint32(0, Math.floor(Date.now() / 0x10000));
  new DataView(bytes.buffer).setUint16(4, Date.now() % 0x10000);
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
