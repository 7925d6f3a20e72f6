// Takes the invitation out of the address and the history, into the form.
const field = document.getElementById("invitation");

function take() {
  const secret = location.hash.slice(1);
  if (secret && field) {
    history.replaceState(null, "", location.pathname);
    field.value = secret;
    document.getElementById("code").focus();
  }
}

addEventListener("hashchange", take);
take();
