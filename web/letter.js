// A message that waits in the outbox, or that the server has refused.

import { button, make } from "./dom.js";
import { textNodes } from "./text.js";
import { clock } from "./time.js";
import { explainRefusal, say } from "./words.js";

/**
 * @param {import("./outbox.js").Letter} letter
 * @param {string} me
 * @param {() => void} retry
 * @param {() => void} discard
 */
export function letterElement(letter, me, retry, discard) {
  const { body, at, refused } = letter;
  const state = refused
    ? make(
        "p",
        { class: "problem", role: "alert" },
        explainRefusal(refused),
        " ",
        button(say("page_try_again"), retry),
        button(say("page_discard"), discard),
      )
    : make("p", { class: "state" }, say("page_waits", { time: clock(at) }));
  const text = make("p", { class: "text", dir: "auto" }, ...textNodes(body, me));
  return make("article", { class: "message mine waits" }, text, state);
}
