"""Scanners for viruses. One is spoken to: the ClamAV daemon, by INSTREAM (clamd(8)), over TCP or a unix socket."""

import asyncio
import contextlib
import re
import struct
from dataclasses import dataclass
from typing import Final, Protocol

_PIECE: Final = 256 * 1024
_LONGEST_ANSWER: Final = 4_096
_SECONDS: Final = 30.0
_FOUND: Final = re.compile(r"stream: (.{1,200}) FOUND")
_TCP: Final = re.compile(r"tcp:(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]{1,253}):([0-9]{1,5})")
_LAST_PORT: Final = 65_535


class ScannerFailed(Exception):
    """The scanner cannot be reached, or gave no verdict. Nothing of the file is in the text."""


class ScannerInvalid(ValueError):
    """The setting names no scanner; the text says what to write."""


class Scanner(Protocol):
    """Something that knows viruses."""

    async def scan(self, content: bytes) -> str | None:
        """The name of what was found; None for nothing. Raises ScannerFailed."""
        ...


@dataclass(frozen=True, slots=True)
class Clamd:
    """The ClamAV daemon at ``path`` (a unix socket), or at ``host`` and ``port``."""

    path: str = ""
    host: str = ""
    port: int = 0
    seconds: float = _SECONDS

    async def scan(self, content: bytes) -> str | None:
        """See ``Scanner``: the file goes in pieces, each behind its length; a length of zero ends it."""
        try:
            async with asyncio.timeout(self.seconds):
                answer = await self._ask(content)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise ScannerFailed("The virus scanner does not answer.") from None
        if answer == "stream: OK":
            return None
        if found := _FOUND.fullmatch(answer):
            return found[1]
        raise ScannerFailed("The virus scanner gave no verdict.")

    async def _ask(self, content: bytes) -> str:
        reader, writer = await self._connect()
        try:
            writer.write(b"zINSTREAM\0")
            for start in range(0, len(content), _PIECE):
                piece = content[start : start + _PIECE]
                writer.write(struct.pack(">I", len(piece)) + piece)
                await writer.drain()
            writer.write(bytes(4))
            await writer.drain()
            return (await reader.readuntil(b"\0"))[:-1].decode("utf-8", "replace").strip()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.path:
            return await asyncio.open_unix_connection(self.path, limit=_LONGEST_ANSWER)
        return await asyncio.open_connection(self.host, self.port, limit=_LONGEST_ANSWER)


def scanner_at(setting: str) -> Scanner | None:
    """The scanner of a setting: ``unix:/run/clamav/clamd.ctl``, ``tcp:127.0.0.1:3310``; None for "".

    Raises ScannerInvalid.
    """
    if not setting:
        return None
    if setting.startswith("unix:/"):
        return Clamd(path=setting.removeprefix("unix:"))
    found = _TCP.fullmatch(setting)
    if found is None or not 0 < int(found[2]) <= _LAST_PORT:
        raise ScannerInvalid("scanner must be like unix:/run/clamav/clamd.ctl or tcp:127.0.0.1:3310")
    return Clamd(host=found[1].strip("[]"), port=int(found[2]))
