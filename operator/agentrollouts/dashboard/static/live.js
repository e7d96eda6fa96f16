// Draws the live parts of the page again when the server says that something changed, and moves its clocks.
// The field for a reason is not a live part, so what someone types there stays.
"use strict";

const problem = document.getElementById("connection");
const RETRY_SECONDS = 2;
const RECONNECT_SECONDS = 5;
const SIGNED_OUT_SECONDS = 60;
let isBusy = false;
let isDue = false;
let isSignedOut = false;

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
      isSignedOut = answer.status === 401;
      if (answer.ok) document.title = page.title;
      else if (answer.status >= 500) setTimeout(draw, 1000 * RETRY_SECONDS); // of all else the stream reports the end
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
  if (old.querySelector("[data-since]") && part.querySelector("[data-since]")) return; // its clock runs already
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
  document.querySelectorAll("[data-since]").forEach((clock) => {
    const seconds = Math.round((Date.now() - Date.parse(clock.dataset.since)) / 1000);
    clock.textContent = seconds > 0 ? ` (for ${seconds} s)` : "";
  });
}

function written(seconds) {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, index) => (index ? String(part).padStart(2, "0") : part)).join(":");
}

function connect() {
  const events = new EventSource(document.body.dataset.events);
  events.addEventListener("open", () => { problem.textContent = ""; draw(); });
  events.addEventListener("message", draw);
  events.addEventListener("error", async () => {
    problem.textContent = "The page is not connected: what it shows may be old.";
    if (events.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    await draw(); // says why the stream was refused
    setTimeout(connect, 1000 * (isSignedOut ? SIGNED_OUT_SECONDS : RECONNECT_SECONDS));
  });
}

connect();
setInterval(moveClocks, 1000);
moveClocks();
