// What the reader can set: the look, the language, notifications, the password and the sessions.

import { call } from "./api.js";
import { button, choice, dialog, field, fill, make } from "./dom.js";
import { wantsNotices, wantNotices } from "./notices.js";
import { moment } from "./time.js";
import { choose, explain, language, say } from "./words.js";

const LOOK = "look";

/** Shows the look that was chosen here; otherwise that of the system. */
export function showLook() {
  const look = localStorage.getItem(LOOK);
  if (look) document.documentElement.dataset.look = look;
  else delete document.documentElement.dataset.look;
}

/**
 * @param {string} me
 * @param {() => void} logOut
 */
export async function showSettings(me, logOut) {
  const problem = make("p", { class: "problem", role: "alert" });
  const list = make("ul", { class: "rows" });
  const look = choice(
    [
      ["", say("page_look_system")],
      ["light", say("page_look_light")],
      ["dark", say("page_look_dark")],
    ],
    localStorage.getItem(LOOK) ?? "",
    (wanted) => {
      if (wanted) localStorage.setItem(LOOK, wanted);
      else localStorage.removeItem(LOOK);
      showLook();
    },
  );
  const notices = make("input", {
    type: "checkbox",
    checked: wantsNotices(),
    onchange: async () => {
      notices.checked = await wantNotices(notices.checked);
    },
  });
  dialog(
    say("page_settings"),
    say("page_close"),
    field(say("page_look"), look),
    field(
      say("page_language"),
      choice(
        [
          ["en", "English"],
          ["id", "Bahasa Indonesia"],
        ],
        language,
        choose,
      ),
    ),
    "Notification" in window && make("label", { class: "check" }, notices, say("page_notices")),
    make("h3", {}, say("page_sessions")),
    problem,
    list,
    passwordForm(me),
    keys(),
    make("p", { class: "line" }, button(say("page_log_out"), logOut)),
  );

  const load = async () => {
    try {
      const { sessions } = await call("sessions");
      fill(
        list,
        ...sessions.map((/** @type {any} */ one) =>
          make(
            "li",
            {},
            make("span", {}, say("page_session_since", { time: moment(one.created_at) })),
            make("small", {}, say("page_session_seen", { time: moment(one.last_seen_at) })),
            one.current
              ? make("small", {}, say("page_this_session"))
              : button(say("page_end_session"), async () => {
                  await call("revoke", { session: one.id }).catch(() => {});
                  await load();
                }),
          ),
        ),
      );
    } catch (error) {
      fill(problem, explain(error));
    }
  };
  await load();
}

/** @param {string} me */
function passwordForm(me) {
  const said = make("p", { class: "problem", role: "status" });
  const old = make("input", { type: "password", autocomplete: "current-password", required: true });
  const wanted = make("input", { type: "password", autocomplete: "new-password", required: true });
  return make(
    "form",
    {
      onsubmit: async (/** @type {Event} */ event) => {
        event.preventDefault();
        try {
          await call("passwd", { old: old.value, new: wanted.value });
          old.value = wanted.value = "";
          fill(said, say("page_password_changed"));
        } catch (error) {
          fill(said, explain(error));
        }
      },
    },
    make("h3", {}, say("page_change_password")),
    // A password manager asks for it.
    make("input", { name: "username", autocomplete: "username", value: me, hidden: true }),
    field(say("page_old_password"), old),
    field(say("page_new_password"), wanted, say("page_password_ends_sessions")),
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
