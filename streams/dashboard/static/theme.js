// Runs before the first paint, so that a chosen theme does not flash.
"use strict";
(function () {
  let chosen = null;
  try {
    chosen = localStorage.getItem("wirebell-theme");
  } catch {
    // Storage may be off; the system's theme then holds.
  }
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
})();
