// Two minutes before the session is over a person is asked to stay. What was typed is left alone, whatever happens.
// When the page is hidden for long, or shown again from the browser's memory after sign-out, nothing of it is seen.
const WARN_MS = 120_000;
const lasts = Number(document.body.dataset.lasts || 0);
const dialog = document.getElementById("ending");

function say(text) {
  document.getElementById("says").textContent = text;
}

if (lasts && dialog) {
  let end = performance.now() + lasts;
  const stay = async () => {
    const answer = await fetch("/still-here", { method: "POST" });
    if (answer.ok) {
      end = performance.now() + Number(await answer.text());
      dialog.close();
      arm();
    } else {
      location.reload();
    }
  };
  let timer = 0;
  const arm = () => {
    clearTimeout(timer);
    timer = setTimeout(() => dialog.showModal(), Math.max(0, end - performance.now() - WARN_MS));
  };
  document.getElementById("stay").addEventListener("click", stay);
  arm();
}

// A page that the browser kept in its memory is asked for anew: it may be somebody else who goes back.
addEventListener("pageshow", (event) => {
  if (event.persisted) {
    document.body.hidden = true;
    location.reload();
  }
});

// After a part of the page was changed, the focus goes to its new heading, so that who listens knows.
// What changes by itself, while somebody reads elsewhere, leaves the focus where it is.
document.addEventListener("htmx:after:swap", (event) => {
  const live = event.target.closest?.("[data-live]");
  if (live) {
    say(live.dataset.live);
    return;
  }
  const heading = event.target.querySelector?.("h1, h2, [data-focus]");
  if (heading) {
    heading.tabIndex = -1;
    heading.focus();
    say(heading.textContent);
  }
});
