// Passkeys in the browser. A form with data-passkey="get" signs in, with data-passkey="create" makes a new one:
// data-options says where the options come from, action where the answer goes. Nothing is kept in the browser.

function tell(form, text) {
  form.querySelector("[role=alert]").textContent = text;
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
    throw new Error(found.message ?? "That did not work. Try again.");
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

async function run(form, button) {
  tell(form, "");
  button.disabled = true;
  try {
    const credential = await ceremony(form);
    const found = await post(form.getAttribute("action"), { ...fields(form), credential: credential.toJSON() });
    location.assign(found.location);
  } catch (error) {
    const cancelled = error instanceof DOMException && error.name === "NotAllowedError";
    tell(form, cancelled ? "No passkey was used. Try again, or take another way." : error.message);
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
