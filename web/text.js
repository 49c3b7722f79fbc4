// The text of a message as nodes: links, mentions, and controls that would mislead. Nothing of it
// is ever read as HTML.

import { make } from "./dom.js";

const LINK = /https?:\/\/[^\s<>"'`\u0000-\u001f]+/giu;
const MENTION = /@[a-z0-9_-]{1,32}/g;
const PART_OF_NAME = /[a-z0-9_-]/;
// Controls without line break and tab, what turns the direction of text, what has no width. Only a
// flag may have the letters of the last range.
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u202a-\u202e\u2028\u2029\u2060-\u2069\ufeff\ufff9-\ufffb]|(?<!\u{1f3f4}[\u{e0020}-\u{e007f}]*)[\u{e0000}-\u{e007f}]/gu;

/**
 * The nodes of a text. Words with a mark are those that a search has found.
 * @param {string} text
 * @param {string} me Mentions of this user stand out.
 * @returns {(Node | string)[]}
 */
export function textNodes(text, me) {
  return split(
    text,
    LINK,
    (found) => link(found),
    (rest) => mentions(rest, me),
  );
}

/**
 * The text with the found places marked. They are counted in characters, not in UTF-16 units.
 * @param {string} text
 * @param {[number, number][]} matches
 * @returns {(Node | string)[]}
 */
export function markedNodes(text, matches) {
  const characters = Array.from(text);
  const before = 60;
  const begin = Math.max(0, (matches[0]?.[0] ?? 0) - before);
  const end = Math.min(characters.length, begin + 4 * before);
  const part = (/** @type {number} */ from, /** @type {number} */ to) =>
    plain(characters.slice(from, to).join(""));
  /** @type {(Node | string)[]} */
  const nodes = begin > 0 ? ["…"] : [];
  let at = begin;
  for (const [from, to] of matches) {
    if (from < at || from >= end) continue;
    nodes.push(...part(at, from), make("mark", {}, ...part(from, Math.min(to, end))));
    at = Math.min(to, end);
  }
  nodes.push(...part(at, end));
  if (end < characters.length) nodes.push("…");
  return nodes;
}

/**
 * One line of plain text, for a list.
 * @param {string} text
 */
export function oneLine(text) {
  return plain(text.slice(0, 200).replace(/\s+/g, " "));
}

/**
 * The names in a text that has spaces or commas between them.
 * @param {string} text
 */
export const names = (text) => text.toLowerCase().split(/[\s,]+/).filter(Boolean);

/**
 * Whether a text mentions a user: `@neko`, with no character of a name before or after it.
 * @param {string} text
 * @param {string} user
 */
export function hasMention(text, user) {
  for (let at = text.indexOf(`@${user}`); at >= 0; at = text.indexOf(`@${user}`, at + 1)) {
    const around = [text[at - 1], text[at + user.length + 1]];
    if (!around.some((character) => character && PART_OF_NAME.test(character))) return true;
  }
  return false;
}

/**
 * A link if the text is an address of http or https; the text itself otherwise.
 * @param {string} text
 * @param {string} [label]
 * @returns {Node | string}
 */
export function link(text, label) {
  let url;
  try {
    url = new URL(text);
  } catch {
    return text;
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return text;
  // What the browser will really open, so that no look-alike passes as another host.
  const host = new URL(url).host;
  const odd = !text.toLowerCase().includes(host);
  return make(
    "a",
    { href: url.href, target: "_blank", rel: "noopener noreferrer", title: url.href },
    make("bdi", {}, label ?? text),
    odd && ` (${host})`,
  );
}

/**
 * @param {string} text
 * @param {RegExp} pattern
 * @param {(found: string) => Node | string} found
 * @param {(rest: string) => (Node | string)[]} other
 */
function split(text, pattern, found, other) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    const word = trimmed(match[0]);
    nodes.push(...other(text.slice(at, match.index)), found(word));
    at = match.index + word.length;
  }
  nodes.push(...other(text.slice(at)));
  return nodes;
}

/**
 * A link without the punctuation of the sentence around it.
 * @param {string} found
 */
function trimmed(found) {
  let word = found.replace(/[.,;:!?…]+$/u, "");
  if (word.endsWith(")") && !word.includes("(")) word = word.replace(/\)+[.,;:!?]*$/, "");
  return word;
}

/**
 * @param {string} text
 * @param {string} me
 */
function mentions(text, me) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(MENTION)) {
    const before = text[match.index - 1];
    if (before && PART_OF_NAME.test(before)) continue;
    nodes.push(...plain(text.slice(at, match.index)));
    const mine = match[0] === `@${me}`;
    nodes.push(make("span", { class: mine ? "mention mine" : "mention" }, match[0]));
    at = match.index + match[0].length;
  }
  nodes.push(...plain(text.slice(at)));
  return nodes;
}

/**
 * Text in which hidden characters show.
 * @param {string} text
 * @returns {(Node | string)[]}
 */
function plain(text) {
  const nodes = [];
  let at = 0;
  for (const match of text.matchAll(HIDDEN)) {
    const number = match[0].codePointAt(0) ?? 0;
    const code = `U+${number.toString(16).toUpperCase().padStart(4, "0")}`;
    if (match.index > at) nodes.push(text.slice(at, match.index));
    nodes.push(make("span", { class: "hidden-character" }, code));
    at = match.index + match[0].length;
  }
  if (at < text.length) nodes.push(text.slice(at));
  return nodes;
}
