"""A ledger in a database, and witnesses and other logs around it that can be reached, or not."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from carekeep.audit import Ledger, Sequencer
from carekeep.audit.witnessing import Declined, Policy, Witness, Witnesses, Witnessing, hash_of
from carekeep.audit.witnessing.submitting import ALARM, Answer, Unreachable
from carekeep.encryption import Cipher, Tagger
from carekeep.storage import Database
from tests.audit.logs import KEY, a_ledger, a_log, a_sequencer, integrate_all, record_all
from tests.audit.witnessing.parties import NOW_MS, a_witness, cosigners, mldsa44, seed

WITNESSES = ("north", "south", "west")


@dataclass(slots=True)
class Time:
    now_ms: int = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


class RingOfKeys:
    """What the witnesses need of a keyring."""

    def __init__(self) -> None:
        self.rows = Cipher(seed("rows"))
        self.index = Tagger(seed("index"))
        self.post_quantum_checkpoint_key = mldsa44("the log, for the long run")


@dataclass(slots=True)
class Around:
    """``answers`` are given instead of what a witness would say; ``down`` are URLs where nobody is.

    ``files`` are documents by their URLs, for what is not a witness.
    """

    database: Database
    ledger: Ledger
    sequencer: Sequencer
    witnesses: Witnesses
    houses: dict[str, Witness]
    time: Time
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def witnessing(self) -> Witnessing:
        return self.witnesses.witnessing(self.ledger, self.submit, self.fetch)

    async def submit(self, url: str, body: bytes) -> Answer:
        house = url.removesuffix("/add-checkpoint")
        self.asked.append(house)
        if house in self.down:
            raise Unreachable("it cannot be reached: no answer")
        if self.answers.get(house):
            return self.answers[house].pop(0)
        try:
            lines = self.houses[house].add_checkpoint(body)
        except Declined as declined:
            if declined.size is None:
                return Answer(declined.refusal.value, "text/plain; charset=utf-8", b"no\n")
            return Answer(declined.refusal.value, "text/x.tlog.size", b"%d\n" % declined.size)
        return Answer(200, "text/plain; charset=utf-8", "".join(map(str, lines)).encode())

    async def fetch(self, url: str) -> bytes:
        house, _, rest = url.removeprefix("https://").partition("/")
        if url in self.files:
            return self.files[url]
        note = None
        if f"https://{house}" in self.houses and f"https://{house}" not in self.down:
            note = self.houses[f"https://{house}"].folder.cosigned(rest.removesuffix("/checkpoint"))
        if note is None:
            raise Unreachable("nothing is there")
        return note.encode()

    async def grow(self, numbers: Sequence[int]) -> None:
        await record_all(self.ledger, numbers)
        await integrate_all(self.sequencer)

    async def alarms(self) -> list[str]:
        await integrate_all(self.sequencer)
        opened = [self.ledger.open(sealed.leaf)[0] async for sealed in self.ledger.entries()]
        return [entry.reason for entry in opened if entry.action == ALARM]

    def own_copy(self, name: str) -> str:
        """The URL at which a witness gives its copy of our checkpoint."""
        return f"https://{name}.example/{hash_of(KEY.name)}/checkpoint"


def policy_of(quorum: str, *more: str) -> Policy:
    """Three witnesses, each with two keys, and a quorum of ``quorum`` of them (a number, or ``none``)."""
    lines = list(more)
    for name in WITNESSES:
        for kind, cosigner in zip(("ed", "pq"), cosigners(f"{name}.example"), strict=True):
            lines.append(f"witness {name}-{kind} {cosigner.key} https://{name}.example/")
        lines.append(f"group {name} any {name}-ed {name}-pq")
    lines.append(f"group enough {quorum if quorum != 'none' else 1} {' '.join(WITNESSES)}")
    lines.append("quorum none" if quorum == "none" else "quorum enough")
    return Policy.parse("".join(f"{line}\n" for line in lines).encode())


async def around(database: Database, folder: Path, *, size: int = 5, quorum: str = "2", more: str = "") -> Around:
    """A ledger of ``size`` entries, and three witnesses that know it."""
    await a_log(database, size)
    time = Time()
    policy = policy_of(quorum, *more.splitlines())
    houses = {}
    for name in WITNESSES:
        house = Witness(a_witness(folder / name, f"{name}.example", logs=()).folder, time)
        house.folder.add_log(KEY, "")
        houses[f"https://{name}.example"] = house
    witnesses = Witnesses.over(database, RingOfKeys(), KEY, policy, time)
    return Around(database, a_ledger(database), a_sequencer(database), witnesses, houses, time)
