"""C2SP tlog-policy: what is read, what is refused with its line, and which witnesses are a quorum."""

import pytest

from carekeep.audit.note import Note, NoteRefused, sign
from carekeep.audit.witnessing import Cosigner, Policy, PolicyRefused
from tests.audit.witnessing.parties import HONEST, NOW_S, Log, cosigners, ed25519, with_lines

NAMES = ("X1", "X2", "X3", "Y1", "Y2")
KEYS = {name: Cosigner(f"{name}.example", ed25519(name)) for name in NAMES}
WITNESSES = "".join(f"witness {name} {KEYS[name].key}\n" for name in NAMES)
TWO_LEVELS = f"""
# As in the specification: two of the X, any of the Y.
log {HONEST.key} https://ledger.example

{WITNESSES}
group X-witnesses 2 X1 X2 X3
\tgroup   Y-witnesses any\tY1 Y2
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def policy(text: str) -> Policy:
    return Policy.parse(text.encode())


@pytest.mark.parametrize(
    ("witnesses", "is_quorum"),
    [
        ("", False),
        ("X1 X2 X3", False),
        ("Y1 Y2", False),
        ("X1 Y1", False),
        ("X1 X3 Y2", True),
        ("X1 X2 X3 Y1 Y2", True),
        ("X-witnesses Y-witnesses", False),  # groups cosign nothing
        ("X1 X1 Y1", False),
        ("X1 Z2 Y1", False),
    ],
)
def test_a_quorum_of_two_levels(witnesses: str, is_quorum: bool) -> None:
    assert policy(TWO_LEVELS).is_quorum(witnesses.split()) is is_quorum


@pytest.mark.parametrize(
    ("end", "witnesses", "is_quorum"),
    [
        ("quorum none", "", True),
        ("quorum X1", "X1", True),
        ("quorum X1", "X2 X3", False),
        ("group g any X1 X2\nquorum g", "X2", True),
        ("group g all X1 X2\nquorum g", "X2", False),
        ("group g 2 X1 X2 X3\nquorum g", "X1 X3", True),
    ],
)
def test_small_quorums(end: str, witnesses: str, is_quorum: bool) -> None:
    assert policy(f"{WITNESSES}{end}\n").is_quorum(witnesses.split()) is is_quorum


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "there is no quorum line"),
        ("quorum none\nquorum none\n", "line 2: there is a second quorum line"),
        ("quorum g\n", "line 1: the quorum is a name that no line above it defines"),
        ("quorum\n", "line 1: it is not a log, witness, group or quorum line"),
        ("quorum a b\n", "line 1: it is not a log, witness, group or quorum line"),
        ("witnes a b\n", "line 1: it is not a log, witness, group or quorum line"),
        (f"log {HONEST.key} https://a https://b\n", "line 1: it is not a log, witness, group or quorum line"),
        (f"log {KEYS['X1'].key}\n", "line 1: a log signs with"),
        (f"witness w {HONEST.key}\n", "line 1: a witness has a cosigner's key"),
        (f"log {HONEST.key}\nlog {HONEST.key}\n", "line 2: the same log key stands twice"),
        (f"{WITNESSES}witness again {KEYS['X1'].key}\n", "line 6: the same witness key stands twice"),
        (f"{WITNESSES}group X1 any X2\n", "line 6: a name is used twice"),
        (f"{WITNESSES}group none any X2\n", "line 6: a name is used twice, or is 'none'"),
        (f"witness none {KEYS['X1'].key}\n", "line 1: a name is used twice, or is 'none'"),
        (f"{WITNESSES}group g any none\n", "line 6: a group has a member that no line above it defines"),
        (f"{WITNESSES}group g any g\n", "line 6: a group has a member that no line above it defines"),
        (f"{WITNESSES}group g any X1 X1\n", "line 6: a name is a member twice"),
        (f"{WITNESSES}group g any X1\ngroup h any X1\n", "line 7: a name is a member twice"),
        (f"{WITNESSES}group g 0 X1\n", "line 6: a group's threshold"),
        (f"{WITNESSES}group g 2 X1\n", "line 6: a group's threshold"),
        (f"{WITNESSES}group g 01 X1 X2\n", "line 6: a group's threshold"),
        (f"{WITNESSES}group g -1 X1 X2\n", "line 6: a group's threshold"),
        (f"{WITNESSES}group g \u0661 X1 X2\n", "line 6: a group's threshold"),
        (f"{WITNESSES}group g any\n", "line 6: it is not a log"),
        ("witness w a+b+c\n", "line 1: a base64 value is malformed"),
        ("quorum none\r\n", "line 1: control characters"),
        ("\n#\x7f\n", "line 2: control characters"),
        ("\u00a0quorum none\n", "line 1: it is not a log"),  # only space and tab are blanks
        ("#\n" * 5000, "a policy has at most"),
    ],
)
def test_what_is_refused_is_refused_with_its_line(text: str, fault: str) -> None:
    with pytest.raises(PolicyRefused) as refused:
        policy(text)
    assert str(refused.value).startswith(fault)


def test_names_are_bytes_and_nothing_else() -> None:
    """A Kelvin sign is no K, and what is not UTF-8 keeps its own name."""
    k, kelvin = KEYS["X1"].key, KEYS["X2"].key
    text = f"witness K {k}\nwitness \u212a {kelvin}\ngroup g all K \u212a\nquorum g\n"
    assert not policy(text).is_quorum(["K"])
    latin = f"witness \u00e4 {k}\nquorum \u00e4\n".encode("latin-1")
    assert Policy.parse(latin).quorum != policy(f"witness \u00e4 {k}\nquorum \u00e4\n").quorum


def test_limits_are_as_wide_as_the_specification_asks() -> None:
    keys = [Cosigner(f"w{number}.example", ed25519(str(number))).key for number in range(32)]
    lines = [f"log {Log(origin=f'log{number}.example', keyname=f'log {number}').key}" for number in range(32)]
    lines += [f"witness w{number} {key}" for number, key in enumerate(keys)]
    lines += [f"group g{number} any w{number}" for number in range(32)]
    found = policy("\n".join([*lines, "quorum g31", ""]))
    assert (len(found.logs), len(found.witnesses), len(found.groups)) == (32, 32, 32)


def test_a_checkpoint_is_final_by_its_cosignatures_alone() -> None:
    rule = policy(TWO_LEVELS)
    text = HONEST.text(9)
    lines = {name: KEYS[name].cosign(text, NOW_S) for name in NAMES}
    assert not rule.judge(HONEST.note(9)).final
    assert not rule.judge(with_lines(HONEST.note(9), lines["X1"], lines["X1"], lines["Y1"])).final  # one, twice
    judged = rule.judge(with_lines(HONEST.note(9), lines["Y1"], lines["X1"], lines["X2"]))
    assert (judged.checkpoint.size, judged.witnesses, judged.final) == (9, ("X1", "X2", "Y1"), True)
    undated = KEYS["Y1"].cosign(text, 0)
    assert not rule.judge(with_lines(HONEST.note(9), lines["X1"], lines["X2"], undated)).final
    stranger = cosigners("stranger.example")[0].cosign(text, NOW_S)
    assert not rule.judge(with_lines(HONEST.note(9), lines["X1"], stranger, lines["Y1"])).final
    replayed = KEYS["X2"].cosign(HONEST.text(8), NOW_S)
    with pytest.raises(NoteRefused):
        rule.judge(with_lines(HONEST.note(9), lines["X1"], replayed, lines["Y1"]))


def test_a_checkpoint_of_another_log_is_not_judged() -> None:
    other = Log(origin="other.example", keyname="other")
    with pytest.raises(NoteRefused):
        policy(TWO_LEVELS).judge(other.note(9))
    # A trusted key of one log does not sign for another one's name.
    posing = Log(origin="other.example")
    rule = Policy.parse(f"log {HONEST.key}\nlog {other.key}\nquorum none\n".encode())
    with pytest.raises(NoteRefused):
        rule.judge(posing.note(9))
    assert rule.judge(other.note(9)).final
    text = other.text(9)
    with pytest.raises(NoteRefused):
        rule.judge(str(Note(text, (sign(text, HONEST.origin, ed25519("log")),))))
