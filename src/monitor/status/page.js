"use strict";
// Asks for the figures every two seconds and draws them. All text goes into the page as text.

const POLL = 2000, PATIENCE = 5000;
const SVG = "http://www.w3.org/2000/svg";
const find = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  Object.assign(made, properties);
  made.append(...children);
  return made;
}

function shape(name, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

// How values are written: a number and its unit.
const digits = (value, most) => value.toLocaleString("en", { maximumFractionDigits: most });
const scaled = (value) => (Math.abs(value) < 9.95 ? digits(value, 1) : digits(value, 0));
const plain = (value) => [digits(value, 0), "", 1];
const rate = (value) => [scaled(value), "/s", 1];
function time(seconds) {
  if (seconds < 0.9995e-3) return [digits(seconds * 1e6, 0), "µs", 1e-6];
  if (seconds < 0.9995) return [scaled(seconds * 1e3), "ms", 1e-3];
  return [digits(seconds, 1), "s", 1];
}
function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0, size = 1;
  while (value / size >= 1000 && unit < units.length - 1) { size *= 1024; unit += 1; }
  const number = value / size;
  return [unit && number < 99.5 ? digits(number, 1) : digits(number, 0), units[unit], size];
}
const cpu = (value) => [scaled(value * 100), "%", 0.01];
const joined = (format, number, unit) => `${number}${format === rate || format === cpu ? "" : " "}${unit}`.trim();
const write = (format, value) =>
  value === null || value === undefined ? "–" : joined(format, ...format(value));
// A tick of an axis that ends at `end`: in the unit of the end, and exact, so that two differ.
function tick(format, value, end) {
  const [, unit, size] = format(end);
  return joined(format, digits(value / size, 4), unit);
}
function since(seconds) {
  const units = [[86400, "d"], [3600, "h"], [60, "min"]];
  for (const [size, unit] of units) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  return `${Math.max(0, Math.floor(seconds))} s`;
}
const count = (value) => digits(value, 0);
const plural = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
const known = (values) => values.filter((value) => value !== null);
const last = (values) => (values.length ? values[values.length - 1] : null);
// The place of the newest value there is; -1 where there is none.
const newest = (values) => values.findLastIndex((value) => value !== null);
const latest = (values) => (newest(values) < 0 ? null : values[newest(values)]);
const ago = (values, seconds) => `${since((values.length - 1 - newest(values)) * seconds)} ago`;
const worded = (name) => name.replaceAll("_", " ");

// The tiles.
const FIGURES = [
  ["Messages in 5 min", plain, (s) => total(s.history.messages), (s) => `${count(s.messages_stored)} since the start`],
  ["Send time, p99", time, (s) => latest(s.history.send_p99_seconds) ?? s.send_p99_seconds,
    (s) => when(s, "send", s.send_p99_seconds)],
  ["Commit, p99", time, (s) => latest(s.history.commit_p99_seconds) ?? s.commit_p99_seconds,
    (s) => when(s, "commit", s.commit_p99_seconds)],
  ["Connections", plain, (s) => sum(s.connections), (s) => `${plural(s.watchers, "watcher")}`],
  ["Users", plain, (s) => s.users, (s) => plural(s.sessions, "session")],
  ["Disk left", bytes, (s) => s.storage.available_bytes, (s) => `database ${write(bytes, s.storage.database_bytes)}`],
];
const sum = (list) => list.reduce((total, { count }) => total + count, 0);
const total = (values) => values.reduce((sum, value) => sum + value, 0);
// To when the last value belongs: now, some time ago, or the whole time since the start.
function when(status, figure, overall) {
  const values = status.history[`${figure}_p50_seconds`];
  if (newest(values) < 0) return overall === null ? `no ${figure} yet` : "since the start";
  const half = `p50 ${write(time, latest(values))}`;
  return last(values) === null ? `${half}, ${ago(values, status.interval_seconds)}` : half;
}

function makeFigure([title, format, value, more]) {
  const number = element("span"), unit = element("small"), below = element("p", { className: "more" });
  const card = element("div", { className: "card figure" },
    element("h2", { textContent: title }), element("p", { className: "value" }, number, unit), below);
  find("figures").append(card);
  return (status) => {
    const now = value(status);
    const [text, after] = now === null || now === undefined ? ["–", ""] : format(now);
    number.textContent = text;
    unit.textContent = after;
    below.textContent = more(status);
  };
}

// The plots.
const PLOTS = [
  ["Messages stored", rate, [["messages", "messages_per_second"]]],
  ["Time to send", time, [["p50", "send_p50_seconds"], ["p99", "send_p99_seconds"]]],
  ["Commit to the disk", time, [["p50", "commit_p50_seconds"], ["p99", "commit_p99_seconds"]]],
  ["Connections", plain, [["connections", "connections"], ["watchers", "watchers"]]],
  ["Requests", rate, [["all", "requests_per_second"], ["refused", "refusals_per_second"]]],
  ["Waiting for the writer", plain, [["writes", "write_queue"]]],
  ["Write-ahead log", bytes, [["size", "wal_bytes"]]],
  ["Processor and memory", cpu, [["processor", "cpus"]], ["memory", "resident_bytes", bytes]],
];

/** The next round number above: the end of an axis. */
function ceiling(value, format) {
  if (!(value > 0)) return { time: 1e-3, cpu: 0.1, bytes: 1048576, plain: 2 }[format.name] ?? 1;
  const base = format(value)[2];
  const power = 10 ** Math.floor(Math.log10(value / base));
  const step = [1, 2, 4, 5, 10].find((step) => step * power * base >= value * 0.999);
  const round = step * power;
  // A thousand KiB are written as 0.98 MiB.
  const end = (format === bytes && round >= 1000 ? 1024 : round) * base;
  // Half of a count has to be one.
  return format === plain ? Math.max(2, end + (end % 2)) : end;
}

function makePlot([title, format, lines, aside]) {
  const key = element("span", { className: "key" });
  const values = lines.map(([name], index) => {
    const value = element("b");
    const dash = lines.length > 1 ? [element("i", { className: index ? "second" : "first" })] : [];
    key.append(element("span", {}, ...dash, `${name} `, value));
    return value;
  });
  const beside = aside && element("b");
  if (aside) key.append(element("span", {}, `${aside[0]} `, beside));
  const age = element("span", { className: "age" });
  const drawing = shape("svg", { role: "img", tabindex: "0" });
  find("plots").append(element("figure", { className: "card plot" },
    element("figcaption", {}, element("h2", {}, title, age), key), drawing));
  let status = null, picked = null;

  function draw() {
    if (!status) return;
    const series = lines.map(([, field]) => status.history[field]);
    const width = drawing.clientWidth || 400, height = drawing.clientHeight || 150;
    const left = 52, right = width - 2, top = 8, bottom = height - 20;
    const end = ceiling(Math.max(0, ...known(series.flat())), format);
    const spaces = 149;
    const x = (index) => right - ((series[0].length - 1 - index) / spaces) * (right - left);
    const y = (value) => bottom - (Math.min(value, end) / end) * (bottom - top);
    drawing.replaceChildren();
    for (const part of [0, 0.5, 1]) {
      const at = Math.round(y(end * part)) + 0.5;
      drawing.append(shape("line", { class: "rule", x1: left, x2: right, y1: at, y2: at }));
      drawing.append(shape("text", { x: left - 8, y: at + 4, "text-anchor": "end" }, part ? tick(format, end * part, end) : "0"));
    }
    const minutes = (spaces * status.interval_seconds) / 60;
    for (const [text, at, anchor] of [[`${digits(minutes, 0)} min ago`, left, "start"], ["now", right, "end"]]) {
      drawing.append(shape("text", { x: at, y: height - 4, "text-anchor": anchor }, text));
    }
    series.forEach((list, index) => {
      const runs = [];
      list.forEach((value, place) => {
        if (value === null) return;
        if (place && list[place - 1] !== null) runs[runs.length - 1].push([x(place), y(value)]);
        else runs.push([[x(place), y(value)]]);
      });
      const kind = index ? "second" : "first";
      for (const run of runs) {
        const path = run.map(([px, py], place) => `${place ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");
        if (!index && run.length > 1) {
          drawing.append(shape("path", { class: "area", d: `${path}L${run[run.length - 1][0].toFixed(1)} ${bottom}L${run[0][0].toFixed(1)} ${bottom}Z` }));
        }
        if (run.length > 1) drawing.append(shape("path", { class: `line ${kind}`, d: path }));
        else drawing.append(shape("circle", { class: `point ${kind}`, cx: run[0][0], cy: run[0][1], r: 1.5 }));
      }
    });
    const length = series[0].length;
    const place = picked === null ? length - 1 : Math.max(0, length - 1 - picked);
    // Without a look back the newest value stands there, and how old it is.
    const shown = series.map((list) => (picked === null ? latest(list) : list[place] ?? null));
    if (length && series.every((list) => newest(list) < 0)) {
      drawing.append(shape("text", { x: (left + right) / 2, y: (top + bottom) / 2 - 6, "text-anchor": "middle" }, "none in the last five minutes"));
    }
    const old = picked === null && newest(series[0]) >= 0 && newest(series[0]) < length - 1;
    age.textContent = old ? ago(series[0], status.interval_seconds) : "";
    if (picked !== null && length) {
      drawing.append(shape("line", { class: "mark", x1: x(place), x2: x(place), y1: top, y2: bottom }));
      series.forEach((list, index) => {
        if (list[place] !== null) {
          drawing.append(shape("circle", { class: `point ${index ? "second" : "first"}`, cx: x(place), cy: y(list[place]), r: 3.5 }));
        }
      });
      const back = since((length - 1 - place) * status.interval_seconds);
      const anchor = place > length / 2 ? "end" : "start";
      drawing.append(shape("text", { x: x(place) + (anchor === "end" ? -6 : 6), y: top + 8, "text-anchor": anchor }, `${back} ago`));
    }
    values.forEach((value, index) => { value.textContent = write(format, shown[index]); });
    if (aside) beside.textContent = write(aside[2], status.history[aside[1]][place] ?? null);
    const told = lines.map(([name], index) => {
      const most = known(series[index]);
      return `${name} ${write(format, shown[index])}, at most ${write(format, most.length ? Math.max(...most) : null)}`;
    });
    const moment = picked === null ? age.textContent || "now" : `${since(picked * status.interval_seconds)} ago`;
    drawing.setAttribute("aria-label", `${title}, ${moment}: ${told.join("; ")} in the last five minutes. Arrow keys look back.`);
  }

  const pick = (ago) => { picked = ago; draw(); };
  drawing.addEventListener("pointermove", (event) => {
    const box = drawing.getBoundingClientRect();
    const share = (box.right - 2 - event.clientX) / (box.width - 54);
    const most = Math.max(0, (status ? status.history.at.length : 1) - 1);
    pick(Math.min(most, Math.max(0, Math.round(share * 149))));
  });
  drawing.addEventListener("pointerleave", () => pick(null));
  drawing.addEventListener("blur", () => pick(null));
  drawing.addEventListener("keydown", (event) => {
    const most = Math.max(0, (status ? status.history.at.length : 1) - 1);
    const step = { ArrowLeft: 1, ArrowRight: -1, PageUp: 15, PageDown: -15 }[event.key];
    if (step) pick(Math.min(most, Math.max(0, (picked ?? 0) + step)));
    else if (event.key === "Home") pick(most);
    else if (event.key === "End" || event.key === "Escape") pick(null);
    else return;
    event.preventDefault();
  });
  new ResizeObserver(draw).observe(drawing);
  return (now) => { status = now; draw(); };
}

// A value that is not known now.
const orNot = (value) => (value === null ? "–" : typeof value === "number" ? count(value) : value);
const nodeRows = (node) => [
  ["durability found", orNot(node.durability_found)], ["writes", node.is_read_only ? "refused" : "accepted"],
  ["standbys connected", orNot(node.standbys)], ["nodes", orNot(node.nodes)], ["this node", count(node.number)],
  ["lease", `${node.is_lease_over ? "over, " : ""}${write(time, node.lease_age_ms / 1000)} old`],
  ["messages to pass on", count(node.lag_messages)], ["all passed on", `${write(time, node.lag_ms / 1000)} ago`]];

// The tables.
const TABLES = [
  ["Requests since the start", ["verb", "done", "refused", "p50", "p99"], (s) => s.requests
    .filter(({ ok, refused }) => ok + refused > 0)
    .map((it) => [it.verb, count(it.ok), count(it.refused), write(time, it.p50_seconds), write(time, it.p99_seconds)])],
  ["Connections now", ["", ""], (s) => [
    ...s.connections.map(({ name, count: number }) => [name, count(number)]),
    ["taken in since the start", count(s.connections_opened)], ["turned away", count(s.connections_refused)]]],
  ["Why connections ended", ["", ""], (s) => s.connections_closed
    .filter(({ count }) => count > 0).map(({ name, count: number }) => [worded(name), count(number)])],
  ["Queues", ["", "waiting", "room for"], (s) => s.queues.map(({ name, length, capacity }) => [name, count(length), count(capacity)])],
  ["Storage", ["", ""], (s) => [
    ["database", write(bytes, s.storage.database_bytes)], ["write-ahead log", write(bytes, s.storage.wal_bytes)],
    ["left on the disk", write(bytes, s.storage.available_bytes)], ["newest message", `#${count(s.newest_message_id)}`]]],
  ["Process", ["", ""], (s) => [
    ["memory", write(bytes, s.process && s.process.resident_bytes)], ["threads", s.process ? count(s.process.threads) : "–"],
    ["open files", s.open_files === null ? "–" : `${count(s.open_files)} of ${s.open_files_max === null ? "any" : count(s.open_files_max)}`],
    ["failed logins", count(s.logins_failed)], ["slow requests", count(s.slow_requests)]]],
  ["Database", ["", ""], (s) => [
    ["engine", `${s.database.engine === "sqlite" ? "SQLite" : "PostgreSQL"} ${s.database.version}`],
    ["durability", s.database.durability], ...(s.database.node ? nodeRows(s.database.node) : [])]],
];

function makeTable([title, heads, rows]) {
  const body = element("tbody");
  const named = heads.some((head, index) => index && head);
  const head = element("thead", {}, element("tr", {}, ...heads.map((text) => element("th", { scope: "col", textContent: text }))));
  find("tables").append(element("div", { className: "card" }, element("h2", { textContent: title }),
    element("table", { ariaLabel: title }, ...(named ? [head] : []), body)));
  return (status) => {
    const found = rows(status).map(([name, ...cells]) => element("tr", {},
      element("th", { scope: "row", textContent: name }), ...cells.map((text) => element("td", { textContent: text }))));
    const none = element("tr", {}, element("td", { className: "none", textContent: "none yet", colSpan: heads.length }));
    body.replaceChildren(...(found.length ? found : [none]));
  };
}

const views = [...FIGURES.map(makeFigure), ...PLOTS.map(makePlot), ...TABLES.map(makeTable)];

// The state, and the asking.
let seen = null;

function tell(state, text) {
  document.body.dataset.state = state;
  if (find("state-text").textContent !== text) find("state-text").textContent = text;
  document.title = state === "gone" ? "(unreachable) Chat server" : "Chat server";
}

async function ask() {
  const begun = Date.now();
  try {
    const response = await fetch("status.json", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    if (!response.ok) throw new Error(String(response.status));
    const status = await response.json();
    seen = Date.now();
    find("version").textContent = `version ${status.version}`;
    find("uptime").textContent = `up ${since((status.now - status.started_at) / 1000)}`;
    for (const view of views) view(status);
    tell(status.stopping ? "stopping" : "serving", status.stopping ? "stopping" : "serving");
  } catch {
    const last = seen === null ? "not yet reached by this page" : `last reached ${since((Date.now() - seen) / 1000)} ago`;
    tell("gone", `cannot reach the server, ${last}`);
  }
  setTimeout(ask, Math.max(250, POLL - (Date.now() - begun)));
}
ask();
