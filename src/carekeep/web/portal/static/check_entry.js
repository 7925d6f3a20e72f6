// Checks the proof of one entry in the browser. The proof comes from the server; whether it holds is calculated here.
import { checkProof } from "ledger-check";

const section = document.querySelector("[data-entry]");
const button = document.getElementById("check");
const result = document.getElementById("result");

async function check() {
  const { entry, key } = section.dataset;
  const answer = await fetch(`/who-looked/proof/${entry}`);
  const found = answer.ok ? await checkProof(await answer.text(), key) : { proven: false, says: [], facts: {} };
  const proven = found.proven && found.facts.entry === entry;
  for (const each of result.querySelectorAll("[data-when]")) {
    each.hidden = each.dataset.when !== (proven ? "proven" : "not-proven");
  }
  const lines = found.says.map(({ held, what }) => {
    const line = document.createElement("li");
    line.textContent = `${held ? "✓" : "✗"} ${what}`;
    return line;
  });
  result.querySelector("details").hidden = lines.length === 0;
  result.querySelector("ul").replaceChildren(...lines);
  result.focus();
}

button.hidden = false;
button.addEventListener("click", check);
