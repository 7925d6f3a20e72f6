"""``carekeep serve`` over and over, without paying for its imports each time.

A process that has Carekeep's modules in memory, and has opened nothing, forks a server for every line of its input.
"""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

_LAUNCHER = """
import os, sys
import carekeep.app, carekeep.cli.serve
from carekeep.cli import main

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        answers.close()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        main(["--home", line.strip(), "serve"])
        os._exit(0)
    print(child, file=answers, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)
"""


class Preloaded:
    """Starts one server after the other for the installation in ``home``; each as ``subprocess.Popen`` shows one."""

    def __init__(self, home: Path, log: IO[bytes], environment: dict[str, str]) -> None:
        self._home = home
        self._launcher = subprocess.Popen(
            [sys.executable, "-c", _LAUNCHER],
            bufsize=0,  # else an answer could lie in the buffer while we wait for it
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
        )
        assert self._launcher.stdin is not None
        assert self._launcher.stdout is not None
        self._orders, self._answers = self._launcher.stdin, self._launcher.stdout
        self._pid = 0
        self._code: int | None = 0

    def start(self) -> "Preloaded":
        """Another server; the one before must have ended."""
        assert self._code is not None
        self._orders.write(f"{self._home}\n".encode())
        self._pid, self._code = int(self._answers.readline()), None
        return self

    def poll(self) -> int | None:
        """The server's exit code, None while it runs."""
        return self._ended(0)

    def send_signal(self, number: int) -> None:
        os.kill(self._pid, number)

    def kill(self) -> None:
        if self.poll() is None:
            self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended. Raises TimeoutExpired."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("carekeep serve", timeout or 0)
        return code

    def close(self) -> None:
        """No more servers."""
        self.kill()
        self._launcher.communicate()

    def _ended(self, timeout: float | None) -> int | None:
        if self._code is None and select.select([self._answers], [], [], timeout)[0]:
            self._code = int(self._answers.readline())
        return self._code
