// Deletes a message, after it was asked for once more.

import { call } from "./api.js";
import { attempts } from "./attempt.js";
import { button, dialog, isolated, make } from "./dom.js";
import { oneLine } from "./text.js";
import { say } from "./words.js";

/**
 * @param {import("./api.js").Message} message
 * @param {(deletion: import("./api.js").Change) => void} tell It is deleted.
 * @param {() => void} then The reader who waited for that goes on.
 */
export function askToDelete({ id, from, body, title }, tell, then) {
  const { problem, attempt } = attempts();
  const remove = () =>
    attempt(async () => {
      tell(await call("delete", { id }));
      if (!shown.isConnected) return;
      shown.close();
      then();
    });
  const shown = dialog(
    say("page_delete_message"),
    say("page_close"),
    make("p", {}, isolated(from), ": ", make("bdi", {}, ...oneLine(title || body))),
    make("p", {}, say("page_delete_for_all")),
    problem,
    make(
      "p",
      { class: "line" },
      button(say("page_delete"), () => void remove(), { class: "main" }),
      button(say("page_keep"), () => shown.close()),
    ),
  );
}
