// What a dialog tries to do, and a line in it that says why that has failed.

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
