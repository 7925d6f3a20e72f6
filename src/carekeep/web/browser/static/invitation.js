// Hands in the secret after the # of an invitation's link, and takes it out of the address and the history.
const form = document.querySelector("form[data-invitation]");

function handIn() {
  const secret = location.hash.slice(1);
  if (secret) {
    history.replaceState(null, "", location.pathname);
    form.querySelector("input").value = secret;
    form.requestSubmit();
  }
}

addEventListener("hashchange", handIn); // the link was opened where this page was already
handIn();
