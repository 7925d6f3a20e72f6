"""Servers as the product starts them, each in processes of its own with cores of their own."""

import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import uvloop

from benchmarks.machine import cores_for, cpu_seconds, family, resident_mib
from benchmarks.setting import Hospital
from carekeep.cli.serve import Application, make_server, run_workers, settle_memory
from carekeep.settings import Settings

_STARTING_S = 30.0
_STOPPING_S = 20.0
_fork = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that answers. ``client_cores`` are those that it leaves to the clients."""

    pid: int
    port: int
    certificate: str
    client_cores: frozenset[int]

    def cpu_seconds(self) -> float:
        """Processor time of all workers so far."""
        return cpu_seconds(family(self.pid))

    def resident_mib(self) -> float:
        """The most memory that the workers have had resident, added up."""
        return resident_mib(family(self.pid))


def carekeep(hospital: Hospital, workers: int = 1) -> AbstractContextManager[Serving]:
    """The product itself, as ``carekeep serve --workers N`` starts it."""
    return _serving(hospital.settings, workers, lambda: run_workers(hospital.settings, hospital.passphrase, workers))


def baseline(settings: Settings, application: Callable[[], Application]) -> AbstractContextManager[Serving]:
    """One worker of another application (made by ``application`` in the server's process) on the same HTTP server."""

    async def serve() -> None:
        server = make_server(settings, application())
        settle_memory()
        await server.serve()

    return _serving(settings, 1, lambda: uvloop.run(serve()))


@contextmanager
def _serving(settings: Settings, workers: int, run: Callable[[], None]) -> Iterator[Serving]:
    server_cores, client_cores = cores_for(workers)

    def pinned() -> None:
        os.sched_setaffinity(0, server_cores)
        run()

    process = _fork.Process(target=pinned)
    process.start()
    if process.pid is None:
        raise RuntimeError("The server did not start.")
    try:
        _wait_for(settings.port, process)
        yield Serving(process.pid, settings.port, str(settings.certificate.parent / "ca.pem"), client_cores)
    finally:
        process.terminate()
        process.join(_STOPPING_S)
        if process.is_alive():
            process.kill()
            process.join()


def _wait_for(port: int, process: Any) -> None:
    until = time.monotonic() + _STARTING_S
    while time.monotonic() < until:
        if not process.is_alive():
            raise RuntimeError("The server stopped before it answered; its reason is above.")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("The server did not take connections.")


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
