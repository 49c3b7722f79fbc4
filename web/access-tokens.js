// Access tokens: secrets with which programs act for the reader. Here they are listed, made and
// revoked.

import { call } from "./api.js";
import { attempts, latest } from "./attempt.js";
import { button, choice, field, fill, form, isolated, make } from "./dom.js";
import { names } from "./text.js";
import { moment } from "./time.js";
import { say } from "./words.js";

/**
 * @typedef {object} Token
 * @property {string} name
 * @property {"send" | "hook" | "read" | "all"} can
 * @property {string[]} [to]
 * @property {string} created_at
 * @property {string} [expires_at]
 * @property {string} [last_used_at]
 * @property {string} [last_used_from]
 */

const DAY_SECONDS = 86_400;
/** For how many days a token can be made; the last one is for ever. */
const LIVES = ["7", "30", "90", "365", ""];
const USUAL_LIFE = "90";

/** The list of the reader's tokens, and a form for a new one. */
export function accessTokens() {
  const { problem, attempt } = attempts();
  const list = make("ul", { class: "rows" });
  const secret = make("div", { role: "status" });

  const load = latest(
    () => call("tokens"),
    ({ tokens }) =>
      fill(
        list,
        ...tokens.map((/** @type {Token} */ token) => row(token, () => void revoke(token.name))),
      ),
  );

  async function revoke(/** @type {string} */ name) {
    if (!confirm(say("page_revoke_sure", { name }))) return;
    await attempt(async () => {
      await call("token_revoke", { name });
      await load();
    });
  }

  const create = (/** @type {object} */ wanted, /** @type {boolean} */ isHook) =>
    attempt(async () => {
      const { token, name } = await call("token_create", wanted);
      const text = isHook ? `${location.origin}/hooks/${token}` : token;
      fill(secret, ...shownOnce(name, text));
      secret.querySelector("input")?.select();
      await load();
    });

  void attempt(load);
  return make(
    "section",
    { class: "tokens" },
    make("h3", {}, say("page_tokens")),
    make("small", {}, say("page_tokens_hint")),
    list,
    secret,
    make("details", {}, make("summary", {}, say("page_token_new")), tokenForm(create)),
    problem,
  );
}

/**
 * @param {Token} token
 * @param {() => void} revoke
 */
function row(token, revoke) {
  const { name, can, to, created_at, expires_at, last_used_at, last_used_from } = token;
  const used = last_used_at
    ? say("page_token_used", { time: moment(last_used_at), place: last_used_from ?? "" })
    : say("page_token_unused");
  const facts = [
    say(`page_can_${can}`),
    to && say("page_token_to", { names: to.join(", ") }),
    say("page_token_made", { time: moment(created_at) }),
    expires_at ? say("page_token_ends", { time: moment(expires_at) }) : say("page_token_endless"),
    used,
  ];
  return make(
    "li",
    {},
    make(
      "span",
      {},
      isolated(name),
      make("small", { class: "facts" }, facts.filter(Boolean).join(" · ")),
    ),
    button(say("page_revoke"), revoke, { "aria-label": say("page_revoke_token", { name }) }),
  );
}

/** @param {(wanted: object, isHook: boolean) => Promise<boolean>} create */
function tokenForm(create) {
  const name = make("input", {
    required: true,
    maxlength: 32,
    pattern: "[a-z0-9_.\\-]+",
    autocapitalize: "none",
    spellcheck: "false",
  });
  const targets = make("input", { autocapitalize: "none", spellcheck: "false" });
  const to = field(say("page_token_targets"), targets, say("page_token_targets_hint"));
  const can = choice(
    ["send", "hook", "read", "all"].map((word) => [word, say(`page_can_${word}`)]),
    "send",
    () => showTargets(),
  );
  // Only what sends has targets, and a hook has one.
  const showTargets = () => {
    to.hidden = can.value !== "send" && can.value !== "hook";
    targets.required = can.value === "hook";
  };
  const life = choice(
    LIVES.map((days) => [
      days,
      days ? say("page_life_days", { count: days }) : say("page_life_endless"),
    ]),
    USUAL_LIFE,
  );
  const shown = form(
    async () => {
      const targetNames = to.hidden ? [] : names(targets.value);
      const wanted = {
        name: name.value,
        can: can.value,
        to: targetNames.length > 0 ? targetNames : undefined,
        expires_in: life.value ? Number(life.value) * DAY_SECONDS : undefined,
      };
      if (await create(wanted, can.value === "hook")) {
        shown.reset();
        showTargets();
      }
    },
    {},
    field(say("page_token_name"), name, say("page_token_name_hint")),
    field(say("page_token_can"), can),
    to,
    field(say("page_token_life"), life),
    make("button", { type: "submit", class: "main" }, say("page_create")),
  );
  return shown;
}

/**
 * A new secret, which nobody can show again.
 * @param {string} name
 * @param {string} text
 */
function shownOnce(name, text) {
  const input = make("input", { value: text, readonly: true, class: "secret" });
  const said = make("small", { role: "status" });
  const copy = button(say("page_copy"), async () => {
    fill(said, say((await copied(input)) ? "page_copied" : "page_copy_by_hand"));
  });
  return [
    field(say("page_token_once", { name }), input),
    make("p", { class: "line" }, copy, said),
  ];
}

/**
 * Copies what an input has; says whether that was possible.
 * @param {HTMLInputElement} input
 */
async function copied(input) {
  input.select();
  try {
    await navigator.clipboard.writeText(input.value);
    return true;
  } catch {
    // Without TLS, browsers have only this.
    return document.execCommand("copy");
  }
}
