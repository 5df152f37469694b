// Keeps a page current: when the gateway says that something it shows has changed, the part that
// shows it is asked for again. Never under somebody's hands, and not while it is paused.
"use strict";
(() => {
  const bar = document.getElementById("live-bar");
  const region = () => document.getElementById("live");
  if (!bar || !region()) return;
  const [pause, show] = bar.querySelectorAll("button");
  const said = bar.querySelector("output");
  const AGAIN = 10000;
  let since = region().dataset.since;
  let source = null;
  let owed = false;
  let waiting = null;
  let last = 0;

  const paused = () => sessionStorage.getItem("lockgate-paused") === "yes";
  const busy = () => {
    const chosen = document.getSelection();
    return region().contains(document.activeElement)
      || region().querySelector("details[open]") !== null
      || (chosen !== null && !chosen.isCollapsed && region().contains(chosen.anchorNode));
  };
  const say = (state, text) => {
    bar.dataset.state = state;
    if (said.textContent !== text) said.textContent = text;
    pause.textContent = paused() ? "Go on" : "Pause";
    show.hidden = !owed;
  };
  const tell = () => say(paused() ? "paused" : "live", paused() ? "Paused" : owed ? "Changed" : "Live");
  const refresh = () => {
    owed = false;
    last = Date.now();
    htmx.trigger(region(), "news");
    tell();
  };
  const settle = () => {
    clearTimeout(waiting);
    if (!owed || paused() || busy()) {
      tell();
      return;
    }
    const early = last + 1000 * Number(region().dataset.pace) - Date.now();
    if (early > 0) waiting = setTimeout(settle, early);
    else refresh();
  };
  const close = () => {
    if (source) source.close();
    source = null;
  };
  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource(`/console/live?since=${encodeURIComponent(since)}`);
    source.addEventListener("open", tell);
    source.addEventListener("changed", (event) => {
      since = event.lastEventId;
      owed = true;
      settle();
    });
    source.addEventListener("ended", () => location.assign("/console/"));
    source.addEventListener("renewed", () => location.reload());
    source.addEventListener("error", () => {
      say("broken", "Not live; trying again");
      if (source && source.readyState === EventSource.CLOSED) {
        close();
        setTimeout(open, AGAIN);
      }
    });
  };

  pause.addEventListener("click", () => {
    sessionStorage.setItem("lockgate-paused", paused() ? "no" : "yes");
    settle();
  });
  show.addEventListener("click", refresh);
  document.addEventListener("focusout", () => setTimeout(settle, 0));
  document.addEventListener("toggle", settle, true);
  document.addEventListener("htmx:responseError", () => say("broken", "Could not be read again"));
  document.addEventListener("htmx:sendError", () => say("broken", "Could not be read again"));
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  bar.hidden = false;
  open();
})();
