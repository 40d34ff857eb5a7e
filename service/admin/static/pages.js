// Everything works without this; with it, some of it is quicker.
"use strict";

// A summary of faults is read out, and is where the keyboard goes on from.
document.getElementById("summary")?.focus();

// A second click on a button sends nothing twice; coming back to the page makes it usable again.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  else if (!("stays" in (event.submitter?.dataset ?? {}))) event.target.dataset.sent = "yes";
});
window.addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// Parts of a form that an option makes usual are opened with it.
document.addEventListener("change", (event) => {
  const opens = event.target.selectedOptions?.[0]?.dataset.opens;
  for (const part of opens?.split(" ") ?? []) {
    event.target.closest(".together").querySelector(`[data-part="${part}"]`)?.setAttribute("open", "");
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

// What is being filled in survives a reload, and that one had to sign in before it could be saved, as long as its tab is open.
const signsIn = location.pathname.startsWith("/admin/sign-in");
const sent = sessionStorage.getItem("sent");
const unsaved = sent && document.referrer.startsWith(`${location.origin}/admin/sign-in`) ? sent : null;
if (sent && !signsIn) {
  if (!unsaved) sessionStorage.removeItem(sent);
  sessionStorage.removeItem("sent");
}
for (const form of document.querySelectorAll("form[data-draft]")) {
  const place = location.pathname + location.search + form.dataset.draft;
  const kept = sessionStorage.getItem(place);
  if (kept && (place === unsaved || performance.getEntriesByType("navigation")[0]?.type === "reload")) {
    const texts = JSON.parse(kept);
    for (const one of form.elements) {
      if (["radio", "checkbox"].includes(one.type)) one.checked = texts.some(([name, text]) => name === one.name && text === one.value);
      else if (one.name && !["hidden", "submit", "file"].includes(one.type)) one.value = texts.find(([name]) => name === one.name)?.[1] ?? one.value;
      if (one.type === "checkbox" ? one.checked : one.value && !["hidden", "radio", "submit"].includes(one.type)) one.closest("details")?.setAttribute("open", "");
    }
  }
  const keep = () => sessionStorage.setItem(place, JSON.stringify([...new FormData(form)]));
  form.addEventListener("input", keep);
  form.addEventListener("submit", () => {
    keep();
    sessionStorage.setItem("sent", place);
  });
}

// "/" jumps to the search.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest("input, textarea, select")) return;
  event.preventDefault();
  const search = document.querySelector("input[type=search]");
  if (search) search.focus();
  else location.assign("/admin/statements");
});
