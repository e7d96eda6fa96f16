// Draws the live parts of the page again when the server says that something changed, and moves its clocks.
// The field for a reason is not a live part, so what someone types there stays.
"use strict";

const problem = document.getElementById("connection");
let isBusy = false;
let isDue = false;

async function draw() {
  isDue = true;
  if (isBusy) return;
  isBusy = true;
  try {
    while (isDue) {
      isDue = false;
      const answer = await fetch(location.href, { credentials: "same-origin" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      page.querySelectorAll("[data-live]").forEach(replace);
      document.title = page.title;
    }
  } catch {
    // The stream of events reports what is wrong, and draws again once it is back.
  } finally {
    isBusy = false;
  }
  moveClocks();
}

function replace(part) {
  const old = document.getElementById(part.id);
  if (!old || old.dataset.drawn === part.innerHTML) return;
  const focus = old.contains(document.activeElement) ? document.activeElement.id : "";
  old.dataset.drawn = part.innerHTML;
  old.replaceChildren(...part.childNodes);
  if (focus) document.getElementById(focus)?.focus();
}

function moveClocks() {
  document.querySelectorAll("[data-until]").forEach((clock) => {
    const seconds = Math.round((Date.parse(clock.dataset.until) - Date.now()) / 1000);
    clock.textContent = seconds > 0 ? `in ${written(seconds)}` : "now";
  });
}

function written(seconds) {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, index) => (index ? String(part).padStart(2, "0") : part)).join(":");
}

const events = new EventSource(document.body.dataset.events);
events.addEventListener("open", () => { problem.textContent = ""; draw(); });
events.addEventListener("message", draw);
events.addEventListener("error", () => { problem.textContent = "The page is not connected: what it shows may be old."; });
setInterval(moveClocks, 1000);
moveClocks();
