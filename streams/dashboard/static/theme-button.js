// The button that changes the theme, remembered by theme.js for the next page.

import { byId, setText } from "./dom.js";

export function setUpTheme(changed = () => {}) {
  const button = byId("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const tell = () => {
    setText(button, isDark() ? "Light" : "Dark");
    button.setAttribute("aria-label", isDark() ? "Light theme" : "Dark theme");
    changed();
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("wirebell-theme", root.dataset.theme);
    } catch {
      // Storage may be off; the choice then lasts as long as the page.
    }
    tell();
  });
  system.addEventListener("change", tell);
  tell();
}
