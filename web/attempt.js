// What a dialog tries to do, and a line in it that says why that has failed. What it asks for.

import { fill, make } from "./dom.js";
import { explain } from "./words.js";

/** The line, and a way to try something: `attempt` says whether it was done. */
export function attempts() {
  const problem = make("p", { class: "problem", role: "alert" });
  const attempt = async (/** @type {() => Promise<unknown>} */ act) => {
    fill(problem);
    try {
      await act();
      return true;
    } catch (error) {
      fill(problem, explain(error));
      return false;
    }
  };
  return { problem, attempt };
}

/**
 * A way to ask for something and show it. Answers come in any order: one is dropped if the answer to
 * a later question was shown before.
 * @template Answer
 * @param {() => Promise<Answer>} ask
 * @param {(answer: Answer) => void} show
 */
export function latest(ask, show) {
  let asked = 0;
  let shown = 0;
  return async () => {
    asked += 1;
    const mine = asked;
    const answer = await ask();
    if (mine < shown) return;
    shown = mine;
    show(answer);
  };
}
