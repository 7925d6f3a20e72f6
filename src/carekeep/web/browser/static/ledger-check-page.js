// The page where anybody checks a proof: reads the file, asks the module, and says what came of it.
import { checkProof } from "ledger-check";

const form = document.querySelector("form[data-ledger-check]");
const result = document.querySelector("#result");

function line(text, name = "p") {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}

function show({ proven, says, facts }) {
  const steps = document.createElement("ul");
  steps.append(...says.map(({ held, what }) => line(`${held ? "✓" : "✗"} ${what}`, "li")));
  const title = line(proven ? "Proven" : "Not proven", "h2");
  title.className = proven ? "" : "problem";
  result.replaceChildren(title, steps);
  if (facts.entry) {
    result.append(line(`It is the entry ${facts.entry}, recorded ${facts.recorded.toISOString()}.`));
  }
  if (proven) {
    result.append(line("What the entry says is sealed: this shows that it is there, and was not changed."));
  } else {
    result.append(line("Nothing is shown by this file. Ask for a new proof; if that fails too, tell a privacy officer."));
  }
  result.focus();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const [file] = form.elements.file.files;
  const witnesses = form.elements.witnesses.value.split("\n").map((each) => each.trim());
  show(await checkProof(await file.text(), form.elements.key.value, witnesses.filter(Boolean)));
});
