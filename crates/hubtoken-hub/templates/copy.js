// Copies a value to the clipboard, the only thing that plain HTML cannot do. Without this script, or if
// the browser does not allow it, the value is selected so that the user can copy it.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  const value = document.getElementById(button.dataset.copy);
  const said = document.querySelector("[data-copied]");
  value.addEventListener("focus", () => value.select());
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(value.value);
      said.textContent = "Copied.";
    } catch {
      value.focus();
      said.textContent = "The browser does not allow it. The value is selected: copy it with the keyboard.";
    }
  });
}
