// Checks a proof of the audit ledger in the browser, and sends nothing anywhere. Formats: C2SP tlog-proof,
// tlog-checkpoint, signed-note and tlog-cosignature (Ed25519), and the tree of RFC 6962, section 2.1.
//
// checkProof(text, key, witnesses) answers { proven, says, facts }: whether it holds, each step in plain words with
// whether it held, and what was found. It throws nothing; what cannot be read is a step that does not hold.

const NOTE_KEY = 1;
const COSIGNER = 4;
const DASH = "\u2014 ";
const LARGEST = 1 << 20;
const ENTRY_VERSIONS = [1, 2];

class NotProven extends Error {}

function refuse(says) {
  throw new NotProven(says);
}

function bytesOf(base64, what) {
  let binary;
  try {
    binary = atob(base64);
  } catch {
    refuse(`${what} is not base64.`);
  }
  if (!binary || btoa(binary) !== base64) {
    refuse(`${what} is not base64 in its one right spelling.`);
  }
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

function numberOf(text, what) {
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text) || !Number.isSafeInteger(Number(text))) {
    refuse(`${what} is not a number.`);
  }
  return Number(text);
}

function joined(...parts) {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const utf8 = (text) => new TextEncoder().encode(text);
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const equal = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
const node = (left, right) => sha256(Uint8Array.of(1), left, right);

async function readKey(text, sort, whose) {
  const [name, id, ...encoded] = text.trim().split("+");
  const key = bytesOf(encoded.join("+"), whose);
  if (key[0] !== sort || key.length !== 33) {
    refuse(`${whose} is not a key of the sort that is needed here.`);
  }
  if (!name || hex((await sha256(utf8(`${name}\n`), key)).slice(0, 4)) !== id) {
    refuse(`${whose} was copied wrongly: its parts do not fit each other.`);
  }
  return { name, id, sort, raw: key.slice(1) };
}

async function verifies(key, signature, message) {
  const algorithm = { name: "Ed25519" };
  let imported;
  try {
    imported = await crypto.subtle.importKey("raw", key.raw, algorithm, false, ["verify"]);
  } catch {
    refuse("This browser cannot check Ed25519 signatures. Use a newer one, or carekeep_verify.py.");
  }
  return crypto.subtle.verify(algorithm, imported, signature, message);
}

async function isSignedBy(key, value, text) {
  if (key.sort === NOTE_KEY) {
    return verifies(key, value.slice(4), utf8(text));
  }
  if (value.length !== 4 + 8 + 64) {
    return false;
  }
  const time = new DataView(value.buffer).getBigUint64(4);
  return verifies(key, value.slice(12), utf8(`cosignature/v1\ntime ${time}\n${text}`));
}

// The text of a signed note, and the names of the keys that signed it. A wrong signature of a known key refuses all.
async function openNote(note, keys) {
  const end = note.lastIndexOf("\n\n");
  if (end < 0 || !note.endsWith("\n") || /[\0-\x09\x0b-\x1f]/.test(note)) {
    refuse("The ledger's statement in the file has no signatures: the file was cut short.");
  }
  const text = note.slice(0, end + 1);
  const signers = new Set();
  for (const line of note.slice(end + 2, -1).split("\n")) {
    const [name, encoded, ...more] = line.slice(DASH.length).split(" ");
    if (!line.startsWith(DASH) || !name || encoded === undefined || more.length) {
      refuse("A signature in the file is malformed.");
    }
    const value = bytesOf(encoded, "A signature in the file");
    const key = keys.find((each) => each.name === name && each.id === hex(value.slice(0, 4)));
    if (key && !(await isSignedBy(key, value, text))) {
      refuse(`A signature says it is by ${name}, and is not: the file or the signature was changed.`);
    }
    if (key) {
      signers.add(key);
    }
  }
  return { text, signers };
}

// RFC 9162, 2.1.3.2; sizes beyond 2^32 need BigInt.
async function rootFrom(leaf, index, size, path) {
  let position = BigInt(index);
  let last = BigInt(size) - 1n;
  let hash = leaf;
  for (const sibling of path) {
    if (last === 0n) {
      refuse("The proof has too many steps.");
    }
    if (position & 1n || position === last) {
      hash = await node(sibling, hash);
      while (!(position & 1n) && position !== 0n) {
        position >>= 1n;
        last >>= 1n;
      }
    } else {
      hash = await node(hash, sibling);
    }
    position >>= 1n;
    last >>= 1n;
  }
  return last === 0n ? hash : refuse("The proof has too few steps.");
}

function takeApart(text) {
  if (text.length > LARGEST) {
    refuse("The file is too large to be a proof.");
  }
  const middle = text.indexOf("\n\n");
  const lines = text.slice(0, Math.max(middle, 0)).split("\n");
  if (middle < 0 || lines.shift() !== "c2sp.org/tlog-proof@v1") {
    refuse("The file is not a proof of a ledger.");
  }
  if (!lines[0]?.startsWith("extra ")) {
    refuse("The proof does not carry its entry.");
  }
  const leaf = bytesOf(lines.shift().slice("extra ".length), "The entry in the file");
  if (!lines[0]?.startsWith("index ") || lines.length > 65) {
    refuse("The proof does not say which entry it is about.");
  }
  const index = numberOf(lines.shift().slice("index ".length), "The entry's place");
  const path = lines.map((line) => bytesOf(line, "A step of the proof"));
  if (path.some((hash) => hash.length !== 32)) {
    refuse("A step of the proof has the wrong length.");
  }
  return { leaf, index, path, note: text.slice(middle + 2) };
}

function readCheckpoint(text, key) {
  const lines = text.split("\n");
  if (lines.length < 4 || lines.pop() !== "" || lines.includes("")) {
    refuse("The ledger's statement in the file is malformed.");
  }
  if (lines[0] !== key.name) {
    refuse("The proof is of another ledger than the key.");
  }
  const root = bytesOf(lines[2], "The root");
  return { size: numberOf(lines[1], "The number of entries"), root };
}

// What stands before the sealed part of an entry: its id, which begins with the time in milliseconds.
function head(leaf) {
  if (!ENTRY_VERSIONS.includes(leaf[0]) || leaf.length < 21) {
    return {};
  }
  return { entry: hex(leaf.slice(1, 17)), recorded: new Date(parseInt(hex(leaf.slice(1, 7)), 16)) };
}

export async function checkProof(text, keyText, witnessTexts = []) {
  const says = [];
  const facts = {};
  const held = (what) => says.push({ held: true, what });
  try {
    const key = await readKey(keyText, NOTE_KEY, "The ledger's key");
    const witnesses = [];
    for (const each of witnessTexts) {
      witnesses.push(await readKey(each, COSIGNER, "A witness's key"));
    }
    const proof = takeApart(text);
    held("The file is a proof, and carries its entry.");
    const { text: body, signers } = await openNote(proof.note, [key, ...witnesses]);
    if (!signers.has(key)) {
      refuse("The holder of this key has not signed the ledger's statement in the file.");
    }
    const { size, root } = readCheckpoint(body, key);
    held(`The ledger ${key.name} has signed a list of ${size} entries.`);
    if (proof.index >= size) {
      refuse("The entry's place lies outside of the list.");
    }
    const leaf = await sha256(Uint8Array.of(0), proof.leaf);
    if (!equal(await rootFrom(leaf, proof.index, size, proof.path), root)) {
      refuse("The entry is not what was signed at this place: the entry or the list was changed.");
    }
    held(`The entry is number ${proof.index + 1} of that list, unchanged.`);
    facts.size = size;
    facts.index = proof.index;
    ({ entry: facts.entry, recorded: facts.recorded } = head(proof.leaf));
    facts.witnesses = witnesses.filter((each) => signers.has(each)).map((each) => each.name);
    const silent = witnesses.find((each) => !signers.has(each));
    if (silent) {
      refuse(`The witness ${silent.name} has not confirmed this list.`);
    }
    if (witnesses.length) {
      held(`Witnesses have seen the same list: ${facts.witnesses.join(", ")}.`);
    }
    return { proven: true, says, facts };
  } catch (error) {
    if (!(error instanceof NotProven)) {
      console.warn(error.name);
    }
    says.push({ held: false, what: error instanceof NotProven ? error.message : "The file cannot be read." });
    return { proven: false, says, facts };
  }
}
