// Makes the elements of the page. Text comes into them as text only, never as HTML.

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * Makes an element: its attributes, its listeners (`onclick` and the like), and what is in it.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, unknown>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") {
      element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  fill(element, ...children);
  return element;
}

/**
 * Replaces what is in an element.
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.replaceChildren(
    ...children
      .filter((child) => child !== null && child !== undefined && child !== false && child !== "")
      .map((child) => /** @type {Node | string} */ (child)),
  );
}

/**
 * A name that somebody else has chosen: its direction does not disturb the text around it.
 * @param {string} text
 * @param {Record<string, unknown>} [attributes]
 */
export function isolated(text, attributes = {}) {
  return make("bdi", attributes, text);
}

/**
 * A button. Its label is what a screen reader says if it shows only a sign.
 * @param {string} text
 * @param {(event: Event) => void} act
 * @param {Record<string, unknown>} [attributes]
 */
export function button(text, act, attributes = {}) {
  return make("button", { type: "button", onclick: act, ...attributes }, text);
}

/**
 * A form, which this page handles itself.
 * @param {() => void} submit
 * @param {Record<string, unknown>} attributes
 * @param {...Child} children
 */
export function form(submit, attributes, ...children) {
  const onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    submit();
  };
  return make("form", { onsubmit, ...attributes }, ...children);
}

/**
 * A field with its label.
 * @param {string} label
 * @param {HTMLElement} input
 * @param {string} [hint]
 */
export function field(label, input, hint) {
  return make(
    "label",
    { class: "field" },
    make("span", {}, label),
    input,
    hint && make("small", {}, hint),
  );
}

/**
 * A choice of one of several values.
 * @param {[value: string, label: string][]} options
 * @param {string} chosen
 * @param {(value: string) => void} [act]
 */
export function choice(options, chosen, act) {
  const select = make(
    "select",
    { onchange: () => act?.(select.value) },
    ...options.map(([value, label]) =>
      make("option", { value, selected: value === chosen }, label),
    ),
  );
  return select;
}

/**
 * Something that is so or not.
 * @param {string} label
 * @param {(input: HTMLInputElement) => void} [act] It was changed.
 */
export function check(label, act) {
  const input = make("input", { type: "checkbox", onchange: () => act?.(input) });
  return { input, element: make("label", { class: "check" }, input, label) };
}

/**
 * A dialog: it holds the focus, and Escape closes it. It is gone once it is closed.
 * @param {string} title
 * @param {string} close What the button that closes it says.
 * @param {...Child} children
 */
export function dialog(title, close, ...children) {
  const heading = make("h2", { id: "dialog-title" }, title);
  const shown = make(
    "dialog",
    { "aria-labelledby": "dialog-title" },
    make(
      "header",
      {},
      heading,
      button("✕", () => shown.close(), { "aria-label": close, class: "plain" }),
    ),
    ...children,
  );
  shown.addEventListener("close", () => shown.remove());
  document.body.append(shown);
  shown.showModal();
  return shown;
}

/**
 * Does something once the page has been drawn and has nothing else to do.
 * @param {() => void} act
 */
export function whenIdle(act) {
  // Not every browser says when it is idle.
  (window.requestIdleCallback ?? window.setTimeout)(() => act());
}
