// Whom the reader blocks: one user, from the conversation, and all of them, in the settings.

import { call } from "./api.js";
import { attempts, latest } from "./attempt.js";
import { button, dialog, field, fill, form, isolated, make } from "./dom.js";
import { hereNodes } from "./presence.js";
import { names, textNodes } from "./text.js";
import { moment } from "./time.js";
import { say } from "./words.js";

/** @typedef {import("./inbox.js").Inbox} Inbox */
/** @typedef {import("./presence.js").Presence} Presence */

/**
 * What is known about a user, and a button that blocks them.
 * @param {Inbox} inbox
 * @param {Presence} presence
 * @param {string} name
 */
export function showUser(inbox, presence, name) {
  const { problem, attempt } = attempts();
  const state = make("p", { role: "status" });
  const set = (/** @type {boolean} */ isBlocked) =>
    attempt(async () => {
      await inbox.block(name, isBlocked);
      show();
    });
  const block = button(say("page_block"), () => void set(true));
  const unblock = button(say("page_unblock"), () => void set(false));
  const show = () => {
    const isBlocked = inbox.blocked.has(name);
    const hadFocus = [block, unblock].some((one) => one === document.activeElement);
    fill(state, say(isBlocked ? "page_is_blocked" : "page_block_hint"));
    block.hidden = isBlocked;
    unblock.hidden = !isBlocked;
    if (hadFocus) (isBlocked ? unblock : block).focus();
  };
  const title = inbox.users.find(({ user }) => user === name)?.display_name ?? "";
  show();
  dialog(
    name,
    say("page_close"),
    make(
      "div",
      {},
      make("p", { dir: "auto" }, ...textNodes(title, inbox.me), ...hereNodes(presence.of(name))),
      state,
      problem,
      make("p", { class: "line" }, block, unblock),
    ),
  );
}

/**
 * The list of those whom the reader blocks, and a form for others.
 * @param {Inbox} inbox
 */
export function blockList(inbox) {
  const { problem, attempt } = attempts();
  const list = make("ul", { class: "rows" });
  const load = latest(
    () => call("blocks"),
    ({ blocked }) => {
      fill(list, ...blocked.map(row));
      if (blocked.length === 0) fill(list, make("li", {}, say("page_nobody_blocked")));
    },
  );
  const row = (/** @type {{ user: string, since: string }} */ { user, since }) =>
    make(
      "li",
      {},
      make("span", {}, isolated(user)),
      make("small", {}, say("page_blocked_since", { time: moment(since) })),
      button(say("page_unblock"), () => void set([user], false), {
        "aria-label": say("page_unblock_user", { user }),
      }),
    );
  const set = (/** @type {string[]} */ users, /** @type {boolean} */ isBlocked) =>
    attempt(async () => {
      for (const user of users) await inbox.block(user, isBlocked);
      await load();
    });
  const whom = make("input", { required: true, autocapitalize: "none", spellcheck: "false" });
  const add = form(
    async () => {
      if (await set(names(whom.value), true)) whom.value = "";
    },
    { class: "line" },
    field(say("page_block_whom"), whom),
    make("button", { type: "submit" }, say("page_block")),
  );
  void attempt(load);
  return make(
    "section",
    { class: "blocks" },
    make("h3", {}, say("page_blocks")),
    make("small", {}, say("page_block_hint")),
    list,
    add,
    problem,
  );
}
