// The log-in.

import { logIn } from "./api.js";
import { fill, field, form, make } from "./dom.js";
import { explain, say } from "./words.js";

/**
 * Shows the form, until somebody is logged in.
 * @param {(user: string) => void} then
 * @param {string} [why] What the reader should know first.
 */
export function showLogIn(then, why) {
  const user = nameInput();
  const password = make("input", {
    name: "password",
    type: "password",
    required: true,
    autocomplete: "current-password",
  });
  const problem = make("p", { class: "problem", role: "alert" }, why);
  const submit = make("button", { type: "submit", class: "main" }, say("page_log_in"));

  async function enter() {
    submit.disabled = true;
    fill(problem);
    try {
      const name = user.value.trim().toLowerCase();
      await logIn(name, password.value);
      then(name);
    } catch (error) {
      fill(problem, explain(error));
      submit.disabled = false;
      password.select();
    }
  }

  showForm(
    enter,
    field(say("page_user"), user),
    field(say("page_password"), password),
    problem,
    submit,
  );
  user.focus();
}

/**
 * The input of a user's name.
 * @param {Record<string, unknown>} [attributes]
 */
export function nameInput(attributes) {
  return make("input", {
    name: "username",
    autocomplete: "username",
    required: true,
    autocapitalize: "none",
    spellcheck: "false",
    maxlength: 32,
    ...attributes,
  });
}

/**
 * Shows a form, and nothing else.
 * @param {() => Promise<void>} submit
 * @param {...import("./dom.js").Child} children
 */
export function showForm(submit, ...children) {
  const shown = form(() => void submit(), { class: "log-in" }, make("h1", {}, "Chat"), ...children);
  fill(document.body, make("main", { class: "entrance" }, shown));
  document.title = "Chat";
}
