"""Jobs in the database: rows that say nothing, chunks that open with their job's own key.

The key of a job is random and stands, sealed, in the job's row only. When the row goes, nothing that the chunks said
can be read again; what they pointed at stays where it always was, under the patients' keys.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from carekeep.encryption import Cipher, Keyring, associated_data
from carekeep.storage import Change, Clock, Database, Insert, Prepared, Row, Step
from carekeep.web.bulk.orders import Order, Progress, read_order, read_progress, write

TOPIC = "bulk"  # of generations: bumped when there is a new job
ID_LENGTH = 16
LEASE_MS = 5_000
_KEY_LENGTH = 32
_AT_ONCE = 100

_COLUMNS = ("id", "owner", "state", "step", "holder", "held_ms", "expires_ms", "key", "sealed", "progress")
_GET = f"SELECT {', '.join(_COLUMNS)} FROM bulk_job WHERE id = $1"  # noqa: S608 - constants
_RUNNABLE = """
    SELECT id FROM bulk_job WHERE state = 1 AND (holder = $1 OR held_ms <= $2) ORDER BY expires_ms LIMIT $3
"""
_CLAIM = """
    UPDATE bulk_job SET holder = $1, held_ms = $2
     WHERE id = $3 AND state = 1 AND (holder = $1 OR held_ms <= $4)
"""
_ADVANCE = """
    UPDATE bulk_job SET state = $1, step = step + 1, held_ms = $2, expires_ms = $3, progress = $4
     WHERE id = $5 AND step = $6 AND holder = $7
"""
_COUNTS = "SELECT count(CASE WHEN state < 2 THEN 1 END), count(*) FROM bulk_job WHERE owner = $1"
_EXPIRED = "SELECT id FROM bulk_job WHERE expires_ms <= $1 ORDER BY expires_ms LIMIT $2"
_CHUNK = "SELECT sealed FROM bulk_chunk WHERE job = $1 AND file = $2 AND number = $3"
_DROP_FILE = "DELETE FROM bulk_chunk WHERE job = $1 AND file = $2"
_DROP_CHUNKS = "DELETE FROM bulk_chunk WHERE job = $1"
_DROP_JOB = "DELETE FROM bulk_job WHERE id = $1"


class State(IntEnum):
    """What a job is about: an upload is received; it works; it is done; it stopped."""

    RECEIVING = 0
    RUNNING = 1
    DONE = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class Job:
    """One job as its row says. ``owner`` is the id of the account that asked."""

    id: bytes
    owner: bytes
    state: State
    step: int
    holder: str
    held_ms: int
    order: Order
    progress: Progress
    cipher: Cipher = field(repr=False)


Chunk = tuple[int, int, bytes]
"""Number of the file, number of the part in it, content."""


class Jobs:
    """The jobs of one database, as seen by ``holder``, which must be unique to its process."""

    def __init__(
        self, database: Database, keyring: Keyring, clock: Clock, random: Callable[[int], bytes], holder: str
    ) -> None:
        self._database = database
        self._rows = keyring.rows
        self._clock = clock
        self._random = random
        self._holder = holder

    def prepare_new(self, order: Order, progress: Progress, state: State) -> Prepared[Job]:
        """A new job. One that is received stays with this process until it is complete."""
        id_, owner, key = self._random(ID_LENGTH), bytes.fromhex(order.asker.account), self._random(_KEY_LENGTH)
        cipher = Cipher(key, self._random)
        held_ms = self._clock() + LEASE_MS if state is State.RECEIVING else 0
        job = Job(id_, owner, state, 0, self._holder, held_ms, order, progress, cipher)
        row = (
            id_,
            owner,
            int(state),
            0,
            self._holder,
            held_ms,
            progress.expires_ms,
            self._rows.seal(key, associated_data("bulk_job", "key", id_, owner)),
            cipher.seal(write(order), associated_data("bulk_job", "order", id_, owner)),
            _sealed_progress(job),
        )
        return Prepared(job, (Insert("bulk_job", _COLUMNS, (row,)),))

    async def get(self, id_: bytes) -> Job | None:
        """The job of an id. Raises Tampered."""
        row = await self._database.fetch_one(_GET, (id_,))
        return None if row is None else self._opened(row)

    async def runnable(self) -> list[bytes]:
        """Ids of jobs that this process may work on now, the oldest first."""
        rows = await self._database.fetch(_RUNNABLE, (self._holder, self._clock(), _AT_ONCE))
        return [id_ for (id_,) in rows]

    async def expired(self) -> list[bytes]:
        """Ids of jobs whose time is over."""
        return [id_ for (id_,) in await self._database.fetch(_EXPIRED, (self._clock(), _AT_ONCE))]

    async def counts(self, owner: bytes) -> tuple[int, int]:
        """How many jobs of an account are not finished, and how many there are."""
        row = await self._database.fetch_one(_COUNTS, (owner,))
        return (int(row[0]), int(row[1])) if row else (0, 0)

    async def claim(self, job: Job) -> None:
        """Take the job, or keep it; nothing is written while half of the lease is left. Raises Conflict."""
        now = self._clock()
        if job.holder == self._holder and job.held_ms - now > LEASE_MS // 2:
            return
        row = (self._holder, now + LEASE_MS, job.id, now)
        await self._database.commit([Change(_CLAIM, (row,), expect=1)])

    def advance(
        self, job: Job, progress: Progress, state: State, chunks: Sequence[Chunk] = (), dropped: Sequence[int] = ()
    ) -> Prepared[None]:
        """The next step of a job: its chunks and its position in one unit; files in ``dropped`` lose theirs.

        A conflict at commit means that the job was deleted, or that another process has it.
        """
        steps: list[Step] = [Change(_DROP_FILE, [(job.id, file) for file in dropped])] if dropped else []
        if chunks:
            rows = [(job.id, *chunk[:2], job.cipher.seal(chunk[2], _chunk_place(job, *chunk[:2]))) for chunk in chunks]
            steps.append(Insert("bulk_chunk", ("job", "file", "number", "sealed"), rows))
        held_ms = self._clock() + LEASE_MS if state is job.state else 0
        sealed = _sealed_progress(job, progress, job.step + 1)
        row = (int(state), held_ms, progress.expires_ms, sealed, job.id, job.step, self._holder)
        return Prepared(None, (*steps, Change(_ADVANCE, (row,), expect=1)))

    def prepare_delete(self, id_: bytes) -> Prepared[None]:
        """The end of a job: its key, and what the key opened. A conflict at commit means that it is gone already."""
        return Prepared(None, (Change(_DROP_CHUNKS, ((id_,),)), Change(_DROP_JOB, ((id_,),), expect=1)))

    async def chunk(self, job: Job, file: int, number: int) -> bytes | None:
        """The content of one chunk; None when it is gone. Raises Tampered."""
        row = await self._database.fetch_one(_CHUNK, (job.id, file, number))
        return None if row is None else job.cipher.open(row[0], _chunk_place(job, file, number))

    def _opened(self, row: Row) -> Job:
        id_, owner, state, step, holder, held_ms, _, key, sealed, progress = row
        cipher = Cipher(self._rows.open(key, associated_data("bulk_job", "key", id_, owner)), self._random)
        order = read_order(cipher.open(sealed, associated_data("bulk_job", "order", id_, owner)))
        done = read_progress(cipher.open(progress, associated_data("bulk_job", "progress", id_, step)))
        return Job(id_, owner, State(state), step, holder, held_ms, order, done, cipher)


def _sealed_progress(job: Job, progress: Progress | None = None, step: int = 0) -> bytes:
    place = associated_data("bulk_job", "progress", job.id, step)
    return job.cipher.seal(write(progress or job.progress), place)


def _chunk_place(job: Job, file: int, number: int) -> bytes:
    return associated_data("bulk_chunk", job.id, file, number)
