"""``carekeep serve``: web workers, each a process of its own on one port."""

import asyncio
import gc
import logging
import multiprocessing
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import click
import uvloop
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.server.embed import Server

from carekeep.app import System, keeper, open_system
from carekeep.cli.console import talk
from carekeep.cli.installation import read_passphrase
from carekeep.cli.log_lines import log_to_stderr
from carekeep.encryption import Secret
from carekeep.settings import Settings, load_settings
from carekeep.web import WebApplication
from carekeep.web.http import Receive, Scope, Send

_log = logging.getLogger("carekeep")

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
"""ASGI 3.0."""


@click.command()
@click.option("--workers", type=click.IntRange(1, 64), help="How many web workers; the setting by default.")
@click.pass_obj
def serve(home: Path, workers: int | None) -> None:
    """Serve the installation until it is told to stop (Ctrl+C or SIGTERM).

    \b
    Example: carekeep --home /var/lib/carekeep serve --workers 4
    """
    settings = load_settings(home)
    passphrase = read_passphrase(settings)
    log_to_stderr()
    talk.print(f"Carekeep answers at {settings.base_url} (FHIR: {settings.fhir_url}).")
    run_workers(settings, passphrase, workers or settings.workers)


def run_workers(settings: Settings, passphrase: Secret, count: int) -> None:
    """Run ``count`` workers; with one, in this process. The others are forked before anything is opened."""
    fork = multiprocessing.get_context("fork")
    others = [fork.Process(target=run_worker, args=(settings, passphrase)) for _ in range(count - 1)]
    for process in others:
        process.start()
    try:
        run_worker(settings, passphrase)
    finally:
        for process in others:
            process.terminate()
        for process in others:
            process.join(10)


def run_worker(
    settings: Settings, passphrase: Secret, ready: Callable[[System], Awaitable[None]] | None = None
) -> None:
    """One worker until SIGTERM or SIGINT. ``ready`` is awaited once requests are answered."""
    uvloop.run(_serve(settings, passphrase, ready))


async def _serve(settings: Settings, passphrase: Secret, ready: Callable[[System], Awaitable[None]] | None) -> None:
    loop = asyncio.get_running_loop()
    async with open_system(settings, passphrase) as system, keeper(system):
        server = make_server(settings, WebApplication(system.services))
        settle_memory()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.stop)
        serving = asyncio.create_task(server.serve())
        if ready is not None:
            await _answering(settings)
            await ready(system)
        await serving


def settle_memory() -> None:
    """Tell the garbage collector that what is loaded by now stays, and to look less often at what comes.

    A request makes hundreds of objects and hardly a cycle. Walking everything for each few requests cost a tenth of
    the reads a second, and a pause of tens of milliseconds now and then.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


async def _answering(settings: Settings) -> None:
    """Wait until the port takes connections."""
    while True:
        try:
            _, writer = await asyncio.open_connection(settings.bind, settings.port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        return


def make_server(settings: Settings, application: Application) -> Server:
    """Granian in this event loop, with TLS 1.3 and nothing older."""
    return Server(
        application,
        address=settings.bind,
        port=settings.port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.auto,
        websockets=True,
        backlog=1024,
        backpressure=4096,
        log_enabled=False,
        ssl_cert=settings.certificate,
        ssl_key=settings.certificate_key,
        ssl_protocol_min=SSLProtocols.tls13,
    )
