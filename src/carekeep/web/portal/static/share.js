// Makes a SMART Health Link (HL7, 1.0.0). The key is made here, goes into the link, and nowhere else: what is sent is
// ciphertext (JWE, RFC 7516: alg dir, enc A256GCM, zip DEF), and the QR code is drawn here.
const form = document.getElementById("make-link");
const result = document.getElementById("link-made");
const asking = document.getElementById("asked-again");
const trouble = document.getElementById("link-problem");
const FHIR = "application/fhir+json";

function base64url(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

const written = (value) => new TextEncoder().encode(value);

async function deflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function encrypted(content, key) {
  const header = base64url(written(JSON.stringify({ alg: "dir", enc: "A256GCM", zip: "DEF", cty: FHIR })));
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const imported = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["encrypt"]);
  const how = { name: "AES-GCM", iv, additionalData: written(header), tagLength: 128 };
  const sealed = new Uint8Array(await crypto.subtle.encrypt(how, imported, await deflated(content)));
  const end = sealed.length - 16;
  return [header, "", base64url(iv), base64url(sealed.subarray(0, end)), base64url(sealed.subarray(end))].join(".");
}

// What the person chose. The time is fixed here once, so that a yes is to exactly this link.
function wish() {
  const chosen = new FormData(form);
  const facts = { label: chosen.get("label"), flag: "", exp: Math.floor(Date.now() / 1000) + 86400 * Number(chosen.get("days")) };
  if (chosen.get("passcode")) {
    facts.flag = "P";
    facts.passcode = chosen.get("passcode");
  }
  if (Number(chosen.get("uses"))) facts.uses = Number(chosen.get("uses"));
  return { facts, sensitive: chosen.getAll("sensitive").join(",") || "none" };
}

async function post(facts) {
  const headers = { "content-type": "application/json" };
  const answer = await fetch("/share/links", { method: "POST", headers, body: JSON.stringify(facts) });
  return { status: answer.status, said: await answer.json() };
}

async function make() {
  const { facts, sensitive } = wish();
  const read = await fetch(`/share/summary?sensitive=${encodeURIComponent(sensitive)}`);
  if (!read.ok) throw new Error((await read.json()).text);
  const key = crypto.getRandomValues(new Uint8Array(32));
  const jwe = await encrypted(new Uint8Array(await read.arrayBuffer()), key);
  facts.files = [{ content_type: FHIR, jwe }];
  facts.made_from = read.headers.get("x-ledger-entry");
  let { status, said } = await post(facts);
  if (status === 428) {
    if (!(await confirmed(said.questions))) return;
    ({ status, said } = await post({ ...facts, confirmation: said.confirmation }));
  }
  if (status !== 201) throw new Error(said.text);
  const payload = { url: said.url, key: base64url(key), exp: said.exp, label: said.label };
  if (said.flag) payload.flag = said.flag;
  await show(`shlink:/${base64url(written(JSON.stringify(payload)))}`);
}

function confirmed(questions) {
  const list = asking.querySelector("ul");
  list.replaceChildren(...questions.map((each) => {
    const item = document.createElement("li");
    item.textContent = each.text;
    return item;
  }));
  asking.showModal();
  return new Promise((resolve) => {
    asking.addEventListener("close", () => resolve(asking.returnValue === "yes"), { once: true });
  });
}

async function show(link) {
  const { generate } = await import(form.dataset.qr);
  generate(link).toCanvas(result.querySelector("canvas"), { on: [0, 0, 0, 255], off: [255, 255, 255, 255], padX: 4, padY: 4 });
  result.querySelector("textarea").value = link;
  form.hidden = true;
  result.hidden = false;
  result.querySelector("h2").focus();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true; // a second press makes no second link
  trouble.hidden = true;
  try {
    await make();
  } catch (error) {
    trouble.textContent = error.message;
    trouble.hidden = false;
  } finally {
    button.disabled = false;
  }
});

document.getElementById("copy-link").addEventListener("click", async (event) => {
  await navigator.clipboard.writeText(result.querySelector("textarea").value);
  event.target.textContent = event.target.dataset.done;
});
