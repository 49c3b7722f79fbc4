// The page of an invitation: a person chooses a name and a password, and is logged in.

import { call, logIn, Refusal } from "./api.js";
import { fill, field, make } from "./dom.js";
import { nameInput, showForm } from "./log-in.js";
import { explain, say } from "./words.js";

/**
 * Shows the form of an invitation, until the person has an account.
 * @param {string} invitation
 * @param {AbortSignal} signal Ends it.
 * @param {(user: string) => void} then
 * @param {(why: string) => void} instead It cannot be accepted: says why.
 */
export async function showJoin(invitation, signal, then, instead) {
  let invited;
  try {
    invited = await call("invitation", { invitation });
  } catch (error) {
    if (signal.aborted || !(error instanceof Refusal)) throw error;
    const used = error.code === "invitation_used" ? ` ${say("page_join_used")}` : "";
    return instead(explain(error) + used);
  }
  if (signal.aborted) return;
  const user = nameInput({ value: invited.user, readonly: Boolean(invited.user) });
  const [password, again] = ["password", "again"].map((name) =>
    make("input", { name, type: "password", required: true, autocomplete: "new-password" }),
  );
  const problem = make("p", { class: "problem", role: "alert" });
  const submit = make("button", { type: "submit", class: "main" }, say("page_join"));
  const rooms = invited.rooms.join(", ");

  async function enter() {
    fill(problem);
    if (password.value !== again.value) {
      fill(problem, say("page_passwords_differ"));
      return again.select();
    }
    submit.disabled = true;
    try {
      const name = user.value.trim().toLowerCase();
      // If the answer is lost, the same once more has the same result.
      const accepted = await call("accept", { invitation, user: name, password: password.value });
      await logIn(accepted.user, password.value);
      if (!signal.aborted) then(accepted.user);
    } catch (error) {
      fill(problem, explain(error));
      submit.disabled = false;
    }
  }

  showForm(
    enter,
    make("p", {}, say("page_invited")),
    rooms && make("p", { class: "rooms" }, say("page_invited_rooms", { rooms })),
    field(say("page_user"), user, invited.user ? "" : say("page_name_form")),
    field(say("page_password"), password),
    field(say("page_password_again"), again),
    problem,
    submit,
  );
  (invited.user ? password : user).focus();
}
