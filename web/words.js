// The texts of the page, in the language that was chosen here, else in that of the browser. They
// come from the catalogue of the server (src/catalogue).

import { Refusal } from "./api.js";
import { texts } from "./texts.js";

/** @typedef {"en" | "id"} Language */

const KEPT = "language";

/** @returns {Language} */
function chosen() {
  const kept = localStorage.getItem(KEPT);
  if (kept === "en" || kept === "id") return kept;
  const wanted = navigator.languages.map((tag) => tag.toLowerCase().split("-")[0]);
  const known = wanted.find((tag) => tag === "en" || tag === "id" || tag === "in");
  return known === "id" || known === "in" ? "id" : "en";
}

/** @type {Language} */
export const language = chosen();
document.documentElement.lang = language;

/**
 * Changes the language: the page begins anew.
 * @param {string} wanted
 */
export function choose(wanted) {
  localStorage.setItem(KEPT, wanted);
  location.reload();
}

/**
 * A text. `{name}` in it stands for a value.
 * @param {string} name
 * @param {Record<string, string | number>} [values]
 */
export function say(name, values = {}) {
  const pair = texts[name];
  if (!pair) return name;
  const text = pair[language === "id" ? 1 : 0];
  return text.replace(/\{(\w+)\}/g, (whole, key) => String(values[key] ?? whole));
}

/**
 * Why a request has failed.
 * @param {unknown} error
 */
export function explain(error) {
  return error instanceof Refusal ? explainRefusal(error) : say("page_unreachable");
}

/**
 * The name of this text, if the server's words are those of the catalogue. They may say more than the
 * code.
 * @param {string} message
 */
function textOf(message) {
  return Object.keys(texts).find((name) => texts[name][0] === message);
}

/**
 * What a refusal says: the catalogue's text for its code, else the server's.
 * @param {{ code: string, message: string, users?: string[] }} refusal
 */
export function explainRefusal(refusal) {
  const exact = refusal.code === "bad_argument" || refusal.code === "bad_query";
  const code = textOf(refusal.message) ?? refusal.code;
  const text = !exact && texts[code] ? say(code) : refusal.message;
  const users = refusal.users?.length ? `: ${refusal.users.join(", ")}` : "";
  const end = text.charAt(0).toUpperCase() + text.slice(1) + users;
  return /[.!?…]$/.test(end) ? end : `${end}.`;
}
