"""Sending a stream of bytes over TLS to somebody who never answers, and knowing that it arrived.

Syslog over TLS (RFC 5425) has no acknowledgement, and what was written may still lie in a buffer when the other side
goes away. What can be known without one is asked for: the other machine has taken every byte; then this side closes its
half of the connection (close_notify, RFC 8446 §6.1), and the other side, which has read so far, closes its own. A
receiver that was killed, restarted or cut off does not do that; then nothing counts as delivered. What nobody can know
from here: whether a receiver that has read everything and said so keeps it.

TLS is driven by hand over plain streams, since asyncio's own hides how a connection ended.
"""

import asyncio
import contextlib
import fcntl
import ssl
import sys
import termios
from collections.abc import Callable
from typing import TypeVar

from carekeep.web.outgoing.addresses import AllowedHosts, Endpoint
from carekeep.web.outgoing.connecting import AddressRefused, addresses_of

T = TypeVar("T")
_CHUNK = 64 * 1024
_LAST_WORD_S = 2.0
_BEAT_S = 0.005


class NotDelivered(Exception):
    """The bytes did not arrive, or may not have; the text says why."""


async def deliver(
    endpoint: Endpoint, content: bytes, *, hosts: AllowedHosts, trust: ssl.SSLContext, timeout_s: float
) -> None:
    """Connect, send, and close; returns when the receiver has read everything. Raises NotDelivered."""
    try:
        async with asyncio.timeout(timeout_s):
            await _deliver(endpoint, content, hosts, trust)
    except TimeoutError:
        raise NotDelivered(f"the receiver did not take it within {timeout_s:g} seconds") from None
    except AddressRefused as error:
        raise NotDelivered(str(error)) from None
    except ssl.SSLCertVerificationError as error:
        raise NotDelivered(f"the receiver's certificate is not accepted: {error.verify_message}") from None
    except ssl.SSLError as error:
        raise NotDelivered(f"TLS ended before its end ({error.reason or 'no reason given'})") from None
    except OSError as error:
        raise NotDelivered(f"the connection failed ({type(error).__name__})") from None


async def _deliver(endpoint: Endpoint, content: bytes, hosts: AllowedHosts, trust: ssl.SSLContext) -> None:
    failure: OSError | None = None
    for address in await addresses_of(endpoint, hosts):
        try:
            reader, writer = await asyncio.open_connection(address, endpoint.port)
        except OSError as error:
            failure = error
            continue
        try:
            stream = _Tls(reader, writer, trust, endpoint.host)
            await stream.shake_hands()
            await stream.send(content)
            await stream.close()
        finally:
            writer.transport.abort()  # waits for nobody: all was said, or nothing counts
        return
    raise failure or OSError("the name has no address")


def _unacknowledged(writer: asyncio.StreamWriter) -> int:
    """The bytes that the other machine has not taken yet; 0 where the system does not say."""
    count = bytearray(4)
    with contextlib.suppress(OSError):
        fcntl.ioctl(writer.get_extra_info("socket").fileno(), termios.TIOCOUTQ, count)
    return int.from_bytes(count, sys.byteorder)


class _Tls:
    """One side of a connection that only this side sends on."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, trust: ssl.SSLContext, host: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = trust.wrap_bio(self._in, self._out, server_hostname=host)

    async def shake_hands(self) -> None:
        await self._do(self._tls.do_handshake)

    async def send(self, content: bytes) -> None:
        view = memoryview(content)
        for start in range(0, len(view), _CHUNK):  # bounded memory, however slow the receiver is
            part = view[start : start + _CHUNK]
            await self._do(lambda part=part: self._tls.write(part))  # type: ignore[misc]
        while _unacknowledged(self._writer):
            await asyncio.sleep(_BEAT_S)
            if (failure := self._reader.exception()) is not None:
                raise failure
        if await self._closed_early():
            raise NotDelivered("the receiver closed the connection before the end")

    async def close(self) -> None:
        """Say that this was all, and wait until the other side says the same."""
        await self._do(self._tls.unwrap)
        self._writer.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORD_S):
                while await self._reader.read(_CHUNK):  # a receiver that threw something away resets the connection
                    pass

    async def _closed_early(self) -> bool:
        """Whether the other side has said its last word already, or has gone."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                self._take(await self._reader.read(_CHUNK))
        try:
            return not self._tls.read(1)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLZeroReturnError:
            return True

    async def _do(self, step: Callable[[], T]) -> T:
        """A step of TLS, with what it wants to send and to read."""
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                await self._flush()
                self._take(await self._reader.read(_CHUNK))
            else:
                await self._flush()
                return done

    def _take(self, received: bytes) -> None:
        if received:
            self._in.write(received)
        else:
            self._in.write_eof()

    async def _flush(self) -> None:
        if pending := self._out.read():
            self._writer.write(pending)
            await self._writer.drain()
