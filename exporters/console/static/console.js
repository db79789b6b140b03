// What plain HTML cannot do: choose all rows, copy a text, ask before what cannot be undone, keep addresses short,
// scroll wide tables by keyboard. Works without it, too.
"use strict";
document.addEventListener("change", (event) => {
  const all = event.target.closest("[data-all]");
  if (all) {
    for (const box of document.querySelectorAll(`input[name="${all.dataset.all}"]`)) box.checked = all.checked;
  }
});
document.addEventListener("click", (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) navigator.clipboard.writeText(document.querySelector(copy.dataset.copy).textContent);
});
for (const box of document.querySelectorAll(".scroll, .chart")) {
  // what scrolls can be scrolled by keyboard, too
  if (box.scrollWidth > box.clientWidth && !box.querySelector("a, button, input, select")) box.tabIndex = 0;
}
document.addEventListener("submit", (event) => {
  const asked = event.submitter && event.submitter.dataset.confirm;
  if (asked && !window.confirm(asked)) event.preventDefault();
  // a search's address has what was asked for alone; what was disabled for that is usable again after "back"
  if (event.target.method !== "get") return;
  const empty = [...event.target.elements].filter((one) => one.name && one.value === "" && !one.disabled);
  for (const one of empty) one.disabled = true;
  setTimeout(() => { for (const one of empty) one.disabled = false; });
});
