"""What anyone may fetch of the ledger, and what only an auditor may."""

from base64 import b64decode

import pytest

from carekeep.audit import EntryId, VerifierKey, open_checkpoint, verify_proof
from carekeep.audit.merkle import leaf_hash, root_of, verify_consistency
from carekeep.audit.tiles import leaves_in
from tests.web.clinic import Clinic, on_sqlite


async def public_key(clinic: Clinic) -> VerifierKey:
    answer = await clinic.ask("GET", "/ledger/key", who=None)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return VerifierKey.parse(answer.body.decode().strip())


async def test_the_tree_can_be_fetched_and_checked_without_an_account(clinic: Clinic) -> None:
    await clinic.integrate()
    key = await public_key(clinic)
    note = (await clinic.ask("GET", "/ledger/checkpoint", who=None)).body.decode()
    checkpoint = open_checkpoint(note, key)
    entries = await clinic.ask("GET", f"/ledger/tile/entries/000.p/{checkpoint.size}", who=None)
    leaves = leaves_in(entries.body)
    assert len(leaves) == checkpoint.size
    hashes = [leaf_hash(leaf) for leaf in leaves]
    assert root_of(hashes) == checkpoint.root
    tile = await clinic.ask("GET", f"/ledger/tile/0/000.p/{checkpoint.size}", who=None)
    assert tile.body == b"".join(hashes)
    assert tile.headers["content-type"] == "application/octet-stream"


async def test_an_auditor_proves_an_access(clinic: Clinic) -> None:
    read = await clinic.ask("GET", "Patient/ada", who="physician")
    name = read.headers["x-ledger-entry"]
    too_early = await clinic.ask("GET", f"/ledger/proof/{name}", who="auditor")
    assert too_early.status == 404
    await clinic.integrate()
    proof = await clinic.ask("GET", f"/ledger/proof/{name}", who="auditor")
    assert proof.status == 200
    proven = verify_proof(proof.body.decode(), await public_key(clinic))
    assert clinic.system.services.ledger.open(proven.leaf)[0] == read.entry


async def test_taking_a_proof_is_in_the_ledger_too(clinic: Clinic) -> None:
    await clinic.integrate()
    await clinic.ask("GET", "/ledger/proof/" + "0" * 32, who="auditor", headers={"x-request-id": "audit-1"})
    await clinic.ask("GET", "/ledger/proof/" + "0" * 32, who="physician", headers={"x-request-id": "audit-2"})
    ledger = clinic.system.services.ledger
    entries = {
        entry.request_id: entry async for entry in (ledger.open(sealed.leaf)[0] async for sealed in ledger.waiting())
    }
    assert [(entries[name].action, entries[name].outcome) for name in ("audit-1", "audit-2")] == [
        ("audit:ledger:prove", "permitted"),
        ("audit:ledger:prove", "denied"),
    ]


@on_sqlite
@pytest.mark.parametrize("who", ["physician", "administrator", "engine", "app", None])
async def test_nobody_else_takes_proofs(clinic: Clinic, who: str | None) -> None:
    await clinic.integrate()
    answer = await clinic.ask("GET", "/ledger/proof/" + "0" * 32, who=who)
    assert answer.status == (401 if who is None else 403)


async def test_a_patient_proves_what_was_done_with_the_own_record_and_nothing_else(clinic: Clinic) -> None:
    """Of an entry about somebody else not even that it exists; and the asking is an entry too."""
    mine = (await clinic.ask("GET", "Patient/ada", who="physician")).headers["x-ledger-entry"]
    other = (await clinic.ask("GET", "Patient/bob", who="engine")).headers["x-ledger-entry"]
    await clinic.integrate()
    proof = await clinic.ask("GET", f"/ledger/proof/{mine}", who="ada")
    assert proof.status == 200
    proven = verify_proof(proof.body.decode(), await public_key(clinic))
    assert clinic.system.services.ledger.open(proven.leaf)[0].patients == ("ada",)
    refused = [await clinic.ask("GET", f"/ledger/proof/{name}", who="ada") for name in (other, "0" * 32, "zz")]
    assert {(answer.status, answer.said) for answer in refused} == {(404, refused[0].said)}
    ledger = clinic.system.services.ledger
    entries = [ledger.open(sealed.leaf)[0] async for sealed in ledger.waiting()]
    asked = [(entry.outcome, entry.patients, entry.query) for entry in entries]
    assert asked == [
        ("permitted", ("ada",), mine),
        ("failed", ("ada",), other),
        ("failed", ("ada",), "0" * 32),
        ("failed", ("ada",), "zz"),
    ]
    assert {entry.action for entry in entries} == {"fhir:patient:disclosures"}


async def test_anyone_sees_that_the_log_only_grew(clinic: Clinic) -> None:
    key = await public_key(clinic)
    seen = []
    for _ in range(2):
        await clinic.ask("GET", "Patient/ada", who="physician")
        await clinic.integrate()
        seen.append(open_checkpoint((await clinic.ask("GET", "/ledger/checkpoint", who=None)).body.decode(), key))
    old, new = seen
    answer = await clinic.ask("GET", f"/ledger/consistency?from={old.size}&to={new.size}", who=None)
    assert answer.status == 200
    path = [b64decode(each) for each in answer.json["consistency"]]
    verify_consistency(old.size, new.size, old.root, new.root, path)
    assert (answer.json["from"], answer.json["to"]) == (old.size, new.size)
    assert (await clinic.ask("GET", f"/ledger/consistency?from=1&to={new.size + 1}", who=None)).status == 404


@on_sqlite
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("from=1", 400),
        ("from=-1&to=1", 400),
        ("from=a&to=b", 400),
        ("from=1&to=9999999999999999999", 400),
        ("from=0&to=1", 404),
        ("from=2&to=1", 404),
        ("from=1&to=999999999999999", 404),
    ],
)
async def test_odd_sizes_are_refused(clinic: Clinic, query: str, status: int) -> None:
    await clinic.integrate()
    assert (await clinic.ask("GET", f"/ledger/consistency?{query}", who=None)).status == status


@on_sqlite
@pytest.mark.parametrize(
    "path",
    [
        "tile/0/000",  # the tree has no full tile
        "tile/0/000.p/0",
        "tile/0/000.p/255",
        "tile/0/1",
        "tile/64/000",
        "tile/entries/x001/000",
        "tile/0/../../key",
        "tile",
        "proof/x/y",
        "nothing",
        "",
    ],
)
async def test_what_the_log_does_not_have_is_not_found(clinic: Clinic, path: str) -> None:
    await clinic.integrate()
    answer = await clinic.ask("GET", f"/ledger/{path}", who=None)
    assert answer.status in {404, 200}
    assert answer.status == 404 or path == "tile/0/../../key"  # a client resolves dots before it asks


async def test_the_log_of_a_new_installation_has_no_checkpoint_yet(clinic: Clinic) -> None:
    assert (await clinic.ask("GET", "/ledger/checkpoint", who=None)).status == 404


@on_sqlite
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nobody_writes_the_log(clinic: Clinic, method: str) -> None:
    assert (await clinic.ask(method, "/ledger/checkpoint", who="auditor")).status == 405


async def test_proofs_of_odd_names_are_refused(clinic: Clinic) -> None:
    for name in ("zz", "00", "%00", "é", "0" * 4000):
        answer = await clinic.ask("GET", f"/ledger/proof/{name}", who="auditor")
        assert answer.status in {400, 404, 414}, name


async def test_the_entry_of_a_read_is_found_by_its_header_before_it_is_integrated(clinic: Clinic) -> None:
    read = await clinic.ask("GET", "Patient/ada", who="physician")
    sealed = await clinic.system.services.ledger.find(EntryId(bytes.fromhex(read.headers["x-ledger-entry"])))
    assert sealed is not None
    assert sealed.index is None
