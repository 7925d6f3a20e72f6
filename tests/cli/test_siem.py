"""``carekeep siem``: who receives, how far each is, and whether it takes a message."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.conftest import Run
from tests.web.outgoing.syslog_receiver import SyslogReceiver, running_syslog


@contextmanager
def beside(folder: Path) -> Iterator[SyslogReceiver]:
    """A receiver in a loop of its own: the command has one too."""
    started, stop = threading.Event(), threading.Event()
    found: list[SyslogReceiver] = []

    async def serve() -> None:
        async with running_syslog(folder) as receiver:
            found.append(receiver)
            started.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield found[0]
    finally:
        stop.set()
        thread.join(10)


def receive_at(home: Path, port: int, more: str = "") -> None:
    settings = home / "carekeep.toml"
    text = f'\n[siem.soc]\nkind = "syslog"\nurl = "syslog+tls://localhost:{port}"\nnetworks = "127.0.0.0/8 ::1/128"\n'
    settings.write_text(settings.read_text() + text + more, encoding="utf-8")


def test_a_test_message_arrives_and_is_an_entry(run: Run, home: Path, tmp_path: Path) -> None:
    with beside(tmp_path / "tls") as receiver:
        receive_at(home, receiver.port, f'ca = "{tmp_path / "tls" / "ca.pem"}"\n')
        assert run("siem", "test", "soc").out == "soc took a test message.\n"
        assert run("siem", "test", "other").code == 3
    (message,) = receiver.messages
    assert b'"event_code":"audit:export:test"' in message
    refused = run("siem", "test", "soc")
    assert refused.code == 3
    assert "the connection failed" in refused.err
    (soc,) = json.loads(run("siem", "status", "--json").out)
    assert (soc["name"], soc["done"], soc["behind"] >= 0) == ("soc", 0, True)
    assert "soc" in run("siem", "status").out


def test_none_is_set_and_a_wrong_table_is_refused(run: Run, home: Path) -> None:
    assert "No receivers are set" in run("siem", "status").out
    receive_at(home, 6514, 'format = "cef"\n')
    refused = run("siem", "status")
    assert refused.code == 3
    assert "in the table [siem], soc: the format of a syslog is ocsf or atna" in refused.err
