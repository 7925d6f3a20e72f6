// Passkeys in the browser. A form with data-passkey="get" signs in, with data-passkey="create" makes a new one:
// data-options says where the options come from, action where the answer goes. Nothing is kept in the browser.

function tell(form, text) {
  form.querySelector("[role=alert]").textContent = text;
}

// Something must be done first on another page, such as signing in once more.
class Elsewhere extends Error {
  constructor(place) {
    super(place);
    this.place = place;
  }
}

async function post(url, body) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    credentials: "same-origin",
  });
  const found = await answer.json();
  if (!answer.ok) {
    throw found.location ? new Elsewhere(found.location) : new Error(found.message);
  }
  return found;
}

function fields(form) {
  return Object.fromEntries(new FormData(form).entries());
}

async function ceremony(form) {
  const options = await post(form.dataset.options, fields(form));
  if (form.dataset.passkey === "create") {
    return navigator.credentials.create({
      publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options),
    });
  }
  return navigator.credentials.get({
    publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options),
  });
}

function inWords(error) {
  if (!(error instanceof DOMException)) {
    return error instanceof TypeError ? "The server did not answer. Try again." : error.message;
  }
  return error.name === "InvalidStateError"
    ? "This device has a passkey for your account already."
    : "No passkey was used. Try again, or take another way.";
}

async function run(form, button) {
  tell(form, "");
  button.disabled = true;
  try {
    const credential = await ceremony(form);
    const found = await post(form.getAttribute("action"), { ...fields(form), credential: credential.toJSON() });
    location.assign(found.location);
  } catch (error) {
    if (error instanceof Elsewhere) {
      location.assign(error.place);
      return;
    }
    tell(form, inWords(error));
    button.disabled = false;
  }
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const button = form.querySelector("button");
  if (!("PublicKeyCredential" in window)) {
    button.disabled = true;
    tell(form, "This browser cannot use passkeys.");
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(form, button);
  });
}
