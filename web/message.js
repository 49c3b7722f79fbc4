// One message, as it stands in a conversation.

import { button, fill, isolated, make } from "./dom.js";
import { link, oneLine, textNodes } from "./text.js";
import { clock, full, hasPassed, moment, whenPassed } from "./time.js";
import { say } from "./words.js";

/** @typedef {import("./api.js").Message} Message */

/** Tags that make a message a question, as `chat-cli ask` writes them. */
const QUESTION = "ask";
const CHOICE = "choice:";
const BY = "by:";

/**
 * @typedef {object} Acts
 * @property {(message: Message) => void} reply The reader wants to answer it.
 * @property {(message: Message) => void} edit The reader wants to change its text,
 * @property {(message: Message) => void} remove or to delete it.
 * @property {(message: Message) => boolean} mayRemove Whether the reader may do that.
 * @property {(message: Message, text: string) => void} answer The reader has chosen an answer.
 * @property {(id: number) => void} jump The reader wants to see another message.
 * @property {(id: number) => Message | undefined} find A message that the page has.
 * @property {(question: Message) => boolean} isAnswered Whether it takes no answer any more.
 */

/**
 * What stands after `begin` in the tags that begin so.
 * @param {string} begin
 * @param {Message} message
 */
function after(begin, { tags = [] }) {
  return tags.filter((tag) => tag.startsWith(begin)).map((tag) => tag.slice(begin.length));
}

/**
 * Whether a user may answer a question: in a room any other member, or only those whom it names.
 * @param {Message} question
 * @param {string} user
 */
function mayAnswer(question, user) {
  const named = question.room ? after(BY, question) : [];
  return question.from !== user && (named.length === 0 || named.includes(user));
}

/**
 * Whether a message answers a question in a room. Only a reply does, as several people talk there.
 * @param {Message} question
 * @param {Message} message
 */
export function answersInRoom(question, message) {
  const choices = after(CHOICE, question);
  const said = message.body.trim().toLowerCase();
  return (
    message.reply_to === question.id &&
    mayAnswer(question, message.from) &&
    (choices.length === 0 || choices.some((choice) => choice.toLowerCase() === said))
  );
}

/**
 * @param {Message} message
 * @param {string} me
 * @param {boolean} follows It comes soon after another one of the same sender.
 * @param {Acts} acts
 */
export function messageElement(message, me, follows, acts) {
  const { id, at, from, body, title, click, tags = [], priority = 3, expires, edited } = message;
  const mine = from === me;
  const choices = after(CHOICE, message);
  const shown = tags.filter((tag) => tag !== QUESTION && !tag.startsWith(CHOICE));
  const classes = [
    "message",
    mine && "mine",
    follows && "follows",
    priority > 3 && "urgent",
    priority < 3 && "minor",
  ]
    .filter(Boolean)
    .join(" ");
  const act = (/** @type {string} */ label, /** @type {(message: Message) => void} */ done) =>
    button(say(label), () => done(message), { class: "plain", tabindex: -1 });
  return make(
    "article",
    { class: classes, tabindex: -1, "data-id": id, "aria-labelledby": `by-${id}` },
    make(
      "header",
      { id: `by-${id}` },
      isolated(from, { class: "author" }),
      " ",
      make("time", { datetime: at, title: full(at) }, clock(at)),
      priority !== 3 && make("span", { class: "priority" }, say(`page_priority_${priority}`)),
    ),
    replyLine(message, acts),
    title && make("p", { class: "title", dir: "auto" }, ...textNodes(title, me)),
    make("p", { class: "text", dir: "auto" }, ...textNodes(body, me)),
    expires && expiry(expires),
    edited && make("small", { class: "edited", title: full(edited) }, say("page_edited")),
    click && make("p", { class: "click" }, link(click)),
    shown.length > 0 &&
      make(
        "ul",
        { class: "tags", "aria-label": say("page_tags") },
        ...shown.map((tag) => make("li", {}, isolated(tag))),
      ),
    choices.length > 0 &&
      mayAnswer(message, me) &&
      make(
        "p",
        { class: "choices" },
        ...choices.map((choice) =>
          button(choice, () => acts.answer(message, choice), {
            dir: "auto",
            disabled: acts.isAnswered(message),
          }),
        ),
      ),
    make(
      "span",
      { class: "acts" },
      act("page_reply", acts.reply),
      mine && act("page_edit", acts.edit),
      acts.mayRemove(message) && act("page_delete", acts.remove),
    ),
  );
}

/**
 * Until when a message counts as unread, or that it does no longer.
 * @param {string} at
 */
function expiry(at) {
  const mark = make("small", { class: "expires", title: full(at) });
  const expired = () => fill(mark, say("page_expired"));
  if (hasPassed(at)) expired();
  else {
    fill(mark, say("page_expires", { time: moment(at) }));
    whenPassed(at, () => mark.isConnected, expired);
  }
  return mark;
}

/**
 * What a message answers.
 * @param {Message} message
 * @param {Acts} acts
 */
function replyLine({ reply_to: id }, acts) {
  if (!id) return null;
  const answered = acts.find(id);
  return make(
    "p",
    { class: "answers" },
    make(
      "button",
      { type: "button", class: "plain", onclick: () => acts.jump(id) },
      "↩ ",
      ...(answered
        ? [isolated(answered.from), ": ", make("bdi", {}, ...oneLine(answered.body))]
        : [say("page_answers_earlier")]),
    ),
  );
}
