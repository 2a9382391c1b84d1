// The one thing that HTML cannot do: copy a value to the clipboard. Without this script, or where the
// browser does not allow it, the value is selected and copied by hand.
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
