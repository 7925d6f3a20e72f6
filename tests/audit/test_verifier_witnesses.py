"""The verifier that stands alone: proofs, policies, and the signatures of witnesses."""

import contextlib
import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.audit.merkle import inclusion_spans, leaf_hash, root_of
from carekeep.audit.proofs import LogProof
from carekeep.audit.witnessing import Cosigner as OwnCosigner
from carekeep.audit.witnessing import Policy, PolicyRefused
from tests.audit.published_logs import KEY, PublishedLog, leaf, publish
from tests.audit.witnesses import TIME_S, Cosigner, cosigner
from tests.promises.outsider import verifier

X1, X2, X3 = cosigner("x1.example/w"), cosigner("x2.example/w", "ml-dsa-44"), cosigner("x3.example/w")
Y1, Y2 = cosigner("y1.example/w", "ml-dsa-44"), cosigner("y2.example/w")
ALL = {"X1": X1, "X2": X2, "X3": X3, "Y1": Y1, "Y2": Y2}
WITNESSES = "".join(f"witness {name} {each.vkey}\n" for name, each in ALL.items())
GROUPS = "group X 2 X1 X2 X3\ngroup Y any Y1 Y2\ngroup both all X Y\n"
POLICY = f"# Two houses\nlog {KEY}\n\n{WITNESSES} {GROUPS}\tquorum both \n"
SIZE = 300


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> PublishedLog:
    return publish(tmp_path_factory.mktemp("log"), SIZE)


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Writes texts to files, and runs the verifier with their names."""

    def run(command: str, *words: str, policy: str | None = None, file: str, key: bool = False) -> tuple[int, str]:
        (tmp_path / "file").write_text(file)
        given = [command, *words, *(["--key", str(KEY)] if key else [])]
        if policy is not None:
            (tmp_path / "policy").write_text(policy)
            given += ["--policy", str(tmp_path / "policy")]
        code = verifier.main([*given, str(tmp_path / "file")])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


Ask = Callable[..., tuple[int, str]]


def proof_of(index: int, note: str) -> str:
    hashes = [leaf_hash(leaf(number)) for number in range(SIZE)]
    path = tuple(root_of(hashes[span.start : span.end]) for span in inclusion_spans(index, SIZE))
    return str(LogProof(leaf(index), index, path, note))


def cosigned(log: PublishedLog, *witnesses: Cosigner) -> str:
    return log.note + "".join(each.line(log.note) for each in witnesses)


def test_every_set_of_witnesses_against_the_policy(log: PublishedLog, ask: Ask) -> None:
    for count in range(len(ALL) + 1):
        for names in combinations(ALL, count):
            enough = sum(name[0] == "X" for name in names) >= 2 and any(name[0] == "Y" for name in names)
            code, said = ask("witnessed", policy=POLICY, file=cosigned(log, *(ALL[name] for name in names)))
            assert (code, said[:3] == "OK:") == (0 if enough else 1, enough), (names, said)


@pytest.mark.parametrize("name", ["X1", "X2"])
def test_a_forged_cosignature_refuses_the_checkpoint(log: PublishedLog, ask: Ask, name: str) -> None:
    """Even where the others would be enough: who forges one is not to be trusted with the rest."""
    others = [each for known, each in ALL.items() if known != name]
    forger = ALL[name]
    forged = publish(log.folder.parent / f"forged-{name}", 299)
    for line in (forger.line(forged.note), forger.line(log.note)[:-40] + forger.line(log.note)[-40:].swapcase()):
        code, said = ask("witnessed", policy=POLICY, file=cosigned(log, *others) + line)
        assert code == 1, said
        assert f"the signature of {forger.name}" in said or "not base64" in said
    stamped = forger.line(log.note, stamp=1 << 63)
    assert ask("witnessed", policy=POLICY, file=cosigned(log, *others) + stamped)[0] == 1


def test_a_name_is_part_of_what_is_cosigned(log: PublishedLog, ask: Ask) -> None:
    """With ML-DSA-44 a cosignature cannot be passed off as that of somebody else who has the same key."""
    double = Cosigner("double.example/w", X2.private)
    policy = f"log {KEY}\nwitness d {double.vkey}\nquorum d\n"
    assert ask("witnessed", policy=policy, file=log.note + double.line(log.note))[0] == 0
    line = X2.line(log.note).split(" ")[2]
    passed_off = double.line(log.note).split(" ")[2][:5] + line[5:]
    assert ask("witnessed", policy=policy, file=f"{log.note}— {double.name} {passed_off}")[0] == 1


POLICIES = [
    ("no quorum", f"log {KEY}\n{WITNESSES}", "no quorum"),
    ("two quorums", f"{POLICY}quorum X1\n", "line 13"),
    ("a quorum of nobody known", f"log {KEY}\nquorum X1\n", "line 2"),
    ("a group before its members", f"group X any X1\n{WITNESSES}quorum X\n", "line 1"),
    ("a group of none", f"{WITNESSES}group X any none\nquorum X\n", "line 6"),
    ("an empty group", f"{WITNESSES}group X any\nquorum X\n", "line 6"),
    ("a threshold of none", f"{WITNESSES}group X 0 X1\nquorum X\n", "threshold"),
    ("a threshold above all", f"{WITNESSES}group X 3 X1 X2\nquorum X\n", "threshold"),
    ("a threshold with a zero before it", f"{WITNESSES}group X 02 X1 X2\nquorum X\n", "threshold"),
    ("a member twice", f"{WITNESSES}group X 2 X1 X1\nquorum X\n", "a member before"),
    ("a member of two groups", f"{WITNESSES}group X any X1\ngroup Z any X1 X2\nquorum Z\n", "a member before"),
    ("a witness twice", f"{WITNESSES}witness Z {X1.vkey}\nquorum X1\n", "a key twice"),
    ("a name twice", f"{WITNESSES}witness X1 {Y1.vkey}\nquorum X1\n", "line 6"),
    ("a log twice", f"log {KEY}\nlog {KEY}\nquorum none\n", "a key twice"),
    ("a log's key for a witness", f"witness X1 {KEY}\nquorum X1\n", "another sort"),
    ("a damaged key", f"witness X1 {X1.vkey[:-4]}AAA=\nquorum X1\n", "line 1"),
    ("a word that is unknown", f"log {KEY}\nwitnesses\nquorum none\n", "line 2"),
    ("a line of Windows", f"log {KEY}\r\nquorum none\r\n", "control characters"),
]


@pytest.mark.parametrize(("policy", "says"), [case[1:] for case in POLICIES], ids=[case[0] for case in POLICIES])
def test_a_policy_that_cannot_be_is_refused(log: PublishedLog, ask: Ask, policy: str, says: str) -> None:
    code, said = ask("witnessed", policy=policy, file=cosigned(log, *ALL.values()))
    assert (code, says in said) == (1, True), said


def test_a_policy_without_witnesses_still_asks_for_the_log(log: PublishedLog, ask: Ask) -> None:
    assert ask("witnessed", policy=f"log {KEY}\nquorum none\n", file=log.note)[0] == 0
    other = cosigner("other.example/log")
    assert ask("witnessed", policy="quorum none\n", file=log.note)[0] == 1
    assert ask("witnessed", policy="quorum none\n", file=log.note, key=True)[0] == 0
    assert ask("witnessed", policy=f"witness o {other.vkey}\nquorum o\n", file=log.note + other.line(log.note))[0] == 1


def test_a_proof_with_its_witnesses(log: PublishedLog, ask: Ask) -> None:
    proof = proof_of(77, cosigned(log, X1, X2, Y1))
    code, said = ask("proof", policy=POLICY, file=proof)
    assert (code, said[:3]) == (0, "OK:")
    answer = json.loads(ask("proof", "--json", policy=POLICY, file=proof)[1])
    assert answer["ok"] is True
    assert "entry 77 of ledger.example/clinic is in the log of 300 entries" in answer["says"]
    assert "cosigned by X1 at 2026-" in answer["says"]
    code, said = ask("proof", policy=POLICY, file=proof_of(77, cosigned(log, X1, Y1)))
    assert (code, "no quorum" in said) == (1, True)
    assert ask("proof", file=proof, key=True)[0] == 0


@given(st.data())
def test_whatever_comes_is_refused_and_nothing_fails(data: st.DataObject) -> None:
    """Texts that are nearly proofs and nearly policies: answered by Refused, never by another error."""
    words = ["log", "witness", "group", "quorum", "none", "any", "all", "2", str(KEY), X1.vkey, "X1", "#", "+", "—"]
    text = data.draw(st.lists(st.sampled_from([*words, "\n", " ", "\t"]) | st.text(max_size=5), max_size=20))
    joined = "".join(text)
    with contextlib.suppress(verifier.Refused):
        verifier.read_policy(joined.encode(errors="replace"))
    with contextlib.suppress(verifier.Refused):
        verifier.verify("c2sp.org/tlog-proof@v1\nindex 0\n" + joined, str(KEY), b"x")
    with contextlib.suppress(verifier.Refused):
        verifier.check_signatures(joined, [verifier.read_key(str(KEY))])


_NAMES = st.sampled_from(["X1", "X2", "Y1", "A", "B", "none", "any"])
_LINES = st.one_of(
    st.sampled_from([f"log {KEY}", "# all", "", " \t", *(f"witness {name} {each.vkey}" for name, each in ALL.items())]),
    st.builds("witness {} {}".format, _NAMES, st.sampled_from([X1.vkey, Y1.vkey, str(KEY)])),
    st.builds(
        lambda name, least, members: f"group {name} {least} {' '.join(members)}",
        _NAMES,
        st.sampled_from(["any", "all", "1", "2", "01", "0", "-1"]),
        st.lists(_NAMES, max_size=3),
    ),
    st.builds("quorum {}".format, _NAMES),
)


@given(st.lists(_LINES, max_size=8), st.sets(st.sampled_from([*ALL, "A", "B"])))
def test_two_readings_of_one_specification_agree(lines: list[str], present: set[str]) -> None:
    """Carekeep's own reader of policies and the verifier's share no code: what one takes, the other takes alike."""
    text = "\n".join(lines).encode()
    try:
        ours: Policy | None = Policy.parse(text)
    except PolicyRefused:
        ours = None
    try:
        theirs = verifier.read_policy(text)
    except verifier.Refused:
        theirs = None
    assert (ours is None) == (theirs is None)
    if ours is not None:
        assert ours.is_quorum(present) == theirs.is_met(theirs.quorum, {name.encode() for name in present})


@pytest.mark.parametrize("name", ["X1", "X2"])
def test_what_carekeeps_witness_signs_is_what_the_specification_says(log: PublishedLog, ask: Ask, name: str) -> None:
    made = ALL[name]
    line = str(OwnCosigner(made.name, made.private).cosign(log.note[: log.note.rindex("\n\n") + 1], TIME_S))
    policy = f"log {KEY}\nwitness w {made.vkey}\nquorum w\n"
    assert ask("witnessed", policy=policy, file=log.note + line)[0] == 0
