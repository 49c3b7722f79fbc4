// Times and days, in the language and the time zone of the reader.

import { language, say } from "./words.js";

// The form of times is that of the reader's region, if it speaks the language of the page.
const region = navigator.languages.find((tag) => tag.split("-")[0] === language) ?? language;
const clockForm = new Intl.DateTimeFormat(region, { hour: "2-digit", minute: "2-digit" });
const dayForm = new Intl.DateTimeFormat(region, { weekday: "long", day: "numeric", month: "long" });
const yearForm = new Intl.DateTimeFormat(region, {
  weekday: "long",
  day: "numeric",
  month: "long",
  year: "numeric",
});
const shortForm = new Intl.DateTimeFormat(region, { day: "numeric", month: "short" });
const momentForm = new Intl.DateTimeFormat(region, { dateStyle: "medium", timeStyle: "short" });
const fullForm = new Intl.DateTimeFormat(region, { dateStyle: "full", timeStyle: "medium" });

/** @param {string} at */
export const clock = (at) => clockForm.format(new Date(at));

/** @param {string} at */
export const moment = (at) => momentForm.format(new Date(at));

/** @param {string} at */
export const full = (at) => fullForm.format(new Date(at));

/** The longest time that a browser waits. */
const WAIT_MAX = 2 ** 31 - 1;

/** @param {string} at */
export const hasPassed = (at) => Date.parse(at) <= Date.now();

/**
 * Does something at a time, if `holds` is still true then.
 * @param {string} at
 * @param {() => boolean} holds
 * @param {() => void} act
 */
export function whenPassed(at, holds, act) {
  const wait = Math.max(0, Math.min(Date.parse(at) - Date.now(), WAIT_MAX));
  window.setTimeout(() => {
    if (!holds()) return;
    if (hasPassed(at)) act();
    else whenPassed(at, holds, act);
  }, wait);
}

/**
 * The day of a time, the same text for the same day.
 * @param {string} at
 */
export const dayKey = (at) => new Date(at).toDateString();

/** @param {string} at */
export function day(at) {
  const date = new Date(at);
  const now = new Date();
  if (date.toDateString() === now.toDateString()) return say("page_today");
  if (
    date.toDateString() ===
    new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1).toDateString()
  )
    return say("page_yesterday");
  return (date.getFullYear() === now.getFullYear() ? dayForm : yearForm).format(date);
}

/**
 * The time of a day if it is today, else the day.
 * @param {string} at
 */
export function brief(at) {
  return dayKey(at) === new Date().toDateString() ? clock(at) : shortForm.format(new Date(at));
}
