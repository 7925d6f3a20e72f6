"""The page where anybody checks a proof, in a real browser that is kept from sending anything."""

from base64 import b64encode
from collections.abc import Callable

import pytest
from playwright.async_api import expect

from carekeep.audit import EntryId, prove
from tests.audit.witnesses import cosigner
from tests.browser.accessibility import findings
from tests.browser.site import Site
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")
WITNESS = cosigner("witness.example/w1")
OTHER = cosigner("witness.example/w2")


async def a_proof(site: Site) -> tuple[str, str]:
    """The name of an entry, and its proof; several entries are in the log."""
    for _ in range(4):
        await site.clinic.ask("GET", "Patient/bob", who="engine")
    name = (await site.clinic.ask("GET", "Patient/ada", who="physician")).headers["x-ledger-entry"]
    await site.clinic.integrate()
    return name, await prove(site.clinic.system.database, EntryId(bytes.fromhex(name)))


async def check(visitor: Visitor, proof: str, key: str, witnesses: str = "") -> str:
    """Give the file and the keys to the page; what it says."""
    await visitor.page.get_by_label("Proof", exact=True).set_input_files(
        {"name": "mine.tlog-proof", "mimeType": "text/plain", "buffer": proof.encode()}
    )
    await visitor.fill("The ledger's key", key)
    await visitor.fill("Keys of witnesses", witnesses)
    await visitor.press("Check")
    result = visitor.page.get_by_role("status", name="Result")
    await expect(result.get_by_role("heading")).to_be_visible()
    said = await result.inner_text()
    await visitor.page.evaluate("document.querySelector('#result').replaceChildren()")
    return said


async def test_a_good_proof_is_proven_and_nothing_is_sent(site: Site, visitor: Visitor) -> None:
    name, proof = await a_proof(site)
    await visitor.open("/ledger/check")
    key = (await visitor.page.locator("code.secret").inner_text()).strip()
    assert key == str(site.services.ledger_key)
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    await visitor.context.set_offline(True)
    said = await check(visitor, proof, key)
    assert said.startswith("Proven")
    assert f"It is the entry {name}, recorded 2026-" in said
    line = WITNESS.line(proof[proof.index("\n\n") + 2 :])
    said = await check(visitor, proof + line, key, WITNESS.vkey)
    assert said.startswith("Proven")
    assert "Witnesses have seen the same list: witness.example/w1." in said
    assert asked == []
    await visitor.context.set_offline(False)


def in_line(number: int, change: Callable[[str], str]) -> Callable[[str], str]:
    def spoil(proof: str) -> str:
        lines = proof.split("\n")
        lines[number] = change(lines[number])
        return "\n".join(lines)

    return spoil


def other_letter(line: str) -> str:
    return line[:60] + ("A" if line[60] != "A" else "B") + line[61:]


def other_hash(line: str) -> str:
    del line
    return b64encode(bytes(32)).decode()


def loose(line: str) -> str:
    """The same bytes in another spelling: the last digit's spare bits are not zero."""
    assert line.endswith("=")
    return line[:-2] + chr(ord(line[-2]) + 1) + "="


ELSEWHERE = "not what was signed at this place|too few steps|too many steps"

# What is done to the file, and what the page says.
TAMPERED = [
    (
        "another entry",
        in_line(1, lambda line: line[:60] + ("A" if line[60] != "A" else "B") + line[61:]),
        "not what was",
    ),
    ("another place", in_line(2, lambda _: "index 0"), ELSEWHERE),
    ("another step", in_line(3, other_hash), "not what was signed at this place"),
    ("a step more", in_line(3, lambda line: f"{line}\n{line}"), ELSEWHERE),
    ("a step in another spelling", in_line(3, loose), "not base64 in its one right spelling"),
    ("a larger list", in_line(-5, lambda line: line + "0"), "is not: the file or the signature was changed"),
    ("another signature", in_line(-2, lambda line: line[:-9] + line[-9:].swapcase()), "was changed|spelling|base64"),
    ("a file cut short", lambda proof: proof[:-30], "has no signatures"),
    ("no proof at all", lambda _: "Dear patient,\n\nall is well.\n", "is not a proof of a ledger"),
    ("a silent witness", lambda proof: proof, "witness.example/w2 has not confirmed"),
]


async def test_tampered_proofs_are_not_proven(site: Site, visitor: Visitor) -> None:
    _, proof = await a_proof(site)
    key = str(site.services.ledger_key)
    await visitor.open("/ledger/check")
    for name, spoil, says in TAMPERED:
        said = await check(visitor, spoil(proof), key, OTHER.vkey if "witness" in name else "")
        assert said.startswith("Not proven"), name
        assert any(each in said for each in says.split("|")), (name, said)
    said = await check(visitor, proof, key[:-9] + ("A" if key[-9] != "A" else "B") + key[-8:])
    assert "was copied wrongly" in said
    forged = proof + WITNESS.line("ledger.example\n1\nAA==\n\n")
    assert "says it is by witness.example/w1, and is not" in await check(visitor, forged, key, WITNESS.vkey)
    await check(visitor, proof, key)
    assert await findings(visitor.page) == []
