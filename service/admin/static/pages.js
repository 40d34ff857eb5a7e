// Everything works without this; with it, some of it is quicker.
"use strict";

// A summary of faults is read out, and is where the keyboard goes on from.
document.getElementById("summary")?.focus();

// A second click on a button sends nothing twice; coming back to the page makes it usable again.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  else event.target.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// Parts of a form that an option makes usual are opened with it.
document.addEventListener("change", (event) => {
  const opens = event.target.selectedOptions?.[0]?.dataset.opens;
  for (const part of opens?.split(" ") ?? []) {
    event.target.closest(".together").querySelector(`[data-part="${part}"]`).open = true;
  }
});

// Actors in one line, with semicolons between: names are offered for the last one.
document.addEventListener("input", ({ target }) => {
  const all = document.getElementById(target.dataset?.list ?? "");
  if (!all) return;
  const written = target.value.slice(0, target.value.lastIndexOf(";") + 1);
  const sought = target.value.slice(written.length).trim().toLowerCase();
  let own = document.getElementById(`${target.id}-names`);
  if (!own) {
    own = all.cloneNode(false);
    own.id = `${target.id}-names`;
    target.after(own);
    target.setAttribute("list", own.id);
  }
  const names = sought ? [...all.options].filter((one) => one.value.toLowerCase().startsWith(sought)) : [];
  own.replaceChildren(...names.slice(0, 8).map((one) => new Option("", `${written ? `${written} ` : ""}${one.value}`)));
});
