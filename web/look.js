// Light or dark: as the system, or as the reader has chosen here.

const KEPT = "look";

/** What was chosen: `light` or `dark`; empty for that of the system. */
export const look = () => localStorage.getItem(KEPT) ?? "";

/** Shows the look that was chosen. */
export function showLook() {
  if (look()) document.documentElement.dataset.look = look();
  else delete document.documentElement.dataset.look;
}

/** @param {string} wanted */
export function chooseLook(wanted) {
  if (wanted) localStorage.setItem(KEPT, wanted);
  else localStorage.removeItem(KEPT);
  showLook();
}
