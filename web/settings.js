// What the reader can set: what others see, the look, the language, notifications, the sessions, the
// access tokens and the password.

import { accessTokens } from "./access-tokens.js";
import { call } from "./api.js";
import { attempts, latest } from "./attempt.js";
import { blockList } from "./blocks.js";
import { button, check, choice, dialog, field, fill, form, make } from "./dom.js";
import { chooseLook, look } from "./look.js";
import { wantsNotices, wantNotices } from "./notices.js";
import { moment } from "./time.js";
import { choose, language, say } from "./words.js";

/** @typedef {import("./inbox.js").Inbox} Inbox */
/** @typedef {import("./presence.js").Presence} Presence */

/**
 * @param {Inbox} inbox
 * @param {Presence} presence
 * @param {() => void} logOut
 */
export function showSettings(inbox, presence, logOut) {
  dialog(
    say("page_settings"),
    say("page_close"),
    ...seenByOthers(presence),
    ...hereOnly(),
    ...sessions(),
    blockList(inbox),
    accessTokens(),
    passwordForm(inbox.me),
    keys(),
    make("p", { class: "line" }, button(say("page_log_out"), logOut)),
  );
}

/**
 * What others see of the reader.
 * @param {Presence} presence
 */
function seenByOthers(presence) {
  const { problem, attempt } = attempts();
  const said = make("small", { role: "status" });
  const set = async (/** @type {Parameters<Presence["settings"]>[0]} */ changes) => {
    fill(said);
    if (await attempt(() => presence.settings(changes))) fill(said, say("page_saved"));
  };
  const status = make("input", {
    maxlength: 256,
    dir: "auto",
    onchange: () => void set({ status_text: status.value.trim() }),
  });
  const invisible = check(say("page_be_invisible"), (it) => void set({ invisible: it.checked }));
  const receipts = check(say("page_receipts"), (it) => void set({ receipts: it.checked }));
  const inputs = [status, invisible.input, receipts.input];
  for (const input of inputs) input.disabled = true;
  void attempt(async () => {
    const settings = await presence.settings();
    // Not sooner: what was changed would be lost.
    for (const input of inputs) input.disabled = false;
    status.value = settings.status_text ?? "";
    invisible.input.checked = settings.invisible ?? false;
    receipts.input.checked = settings.receipts;
  });
  return [
    field(say("page_status"), status, say("page_status_hint")),
    invisible.element,
    receipts.element,
    said,
    problem,
  ];
}

/** What holds for this browser. */
function hereOnly() {
  const notices = check(say("page_notices"), async (it) => {
    it.checked = await wantNotices(it.checked);
  });
  notices.input.checked = "Notification" in window && wantsNotices();
  /** @type {[string, string][]} */
  const looks = [
    ["", say("page_look_system")],
    ["light", say("page_look_light")],
    ["dark", say("page_look_dark")],
  ];
  /** @type {[string, string][]} */
  const languages = [
    ["en", "English"],
    ["id", "Bahasa Indonesia"],
  ];
  return [
    field(say("page_look"), choice(looks, look(), chooseLook)),
    field(say("page_language"), choice(languages, language, choose)),
    "Notification" in window && notices.element,
  ];
}

/** The reader's sessions. */
function sessions() {
  const { problem, attempt } = attempts();
  const list = make("ul", { class: "rows" });
  const end = (/** @type {number} */ session) =>
    attempt(async () => {
      await call("revoke", { session });
      await load();
    });
  const load = latest(
    () => call("sessions"),
    (reply) => show(reply.sessions),
  );
  const show = (/** @type {any[]} */ all) =>
    fill(
      list,
      ...all.map((/** @type {any} */ one) =>
        make(
          "li",
          {},
          make("span", {}, say("page_session_since", { time: moment(one.created_at) })),
          make("small", {}, say("page_session_seen", { time: moment(one.last_seen_at) })),
          one.current
            ? make("small", {}, say("page_this_session"))
            : button(say("page_end_session"), () => void end(one.id)),
        ),
      ),
    );
  void attempt(load);
  return [make("h3", {}, say("page_sessions")), problem, list];
}

/** @param {string} me */
function passwordForm(me) {
  const { problem, attempt } = attempts();
  const said = make("p", { role: "status" });
  const old = make("input", { type: "password", autocomplete: "current-password", required: true });
  const wanted = make("input", { type: "password", autocomplete: "new-password", required: true });
  const change = async () => {
    fill(said);
    if (!(await attempt(() => call("passwd", { old: old.value, new: wanted.value })))) return;
    old.value = wanted.value = "";
    fill(said, say("page_password_changed"));
  };
  return form(
    () => void change(),
    {},
    make("h3", {}, say("page_change_password")),
    // A password manager asks for it.
    make("input", { name: "username", autocomplete: "username", value: me, hidden: true }),
    field(say("page_old_password"), old),
    field(say("page_new_password"), wanted, say("page_password_ends_sessions")),
    problem,
    said,
    make("button", { type: "submit" }, say("page_change_password")),
  );
}

/** The keys of the page. */
function keys() {
  /** @type {[string, string][]} */
  const list = [
    ["Enter", "page_key_send"],
    ["Shift Enter", "page_key_break"],
    ["↑ ↓", "page_key_move"],
    ["R", "page_key_reply"],
    ["E", "page_key_edit"],
    ["Delete", "page_key_delete"],
    ["End", "page_key_end"],
    ["Esc", "page_key_box"],
    ["/", "page_key_find"],
  ];
  return make(
    "details",
    {},
    make("summary", {}, say("page_keys")),
    make(
      "dl",
      {},
      ...list.flatMap(([key, text]) => [
        make("dt", {}, make("kbd", {}, key)),
        make("dd", {}, say(text)),
      ]),
    ),
  );
}
