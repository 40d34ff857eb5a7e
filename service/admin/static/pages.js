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
