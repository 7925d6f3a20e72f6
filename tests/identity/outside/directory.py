"""A real OpenID provider beside the tests: the directory of some organization, over TLS on loopback."""

import contextlib
import datetime
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx

from carekeep.encryption.certificates import make_local_authority


@dataclass(frozen=True, slots=True)
class Directory:
    """Where the provider is, and whom to trust to talk to it."""

    issuer: str
    trust: ssl.SSLContext

    def sign_in(self, location: str, subject: str) -> Mapping[str, str]:
        """A person follows ``location`` and signs in there as ``subject``: the parameters of the callback."""
        with httpx.Client(verify=self.trust) as browser:
            answer = browser.post(location, data={"sub": subject})
        assert answer.status_code == httpx.codes.FOUND, answer.text
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


@contextlib.contextmanager
def running_directory(folder: Path, people: Mapping[str, Mapping[str, object]]) -> Iterator[Directory]:
    """A provider that knows ``people``: their subjects, and the claims that it makes of them.

    It is a process of its own, as in life: what its libraries warn of is not for our tests to fail by.
    """
    make_local_authority(folder, ["localhost"], datetime.datetime.now(datetime.UTC))
    command = [sys.executable, "-W", "ignore", "-m", __name__, str(folder), json.dumps(people)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            yield Directory(f"https://localhost:{port}", ssl.create_default_context(cafile=str(folder / "ca.pem")))
        finally:
            process.terminate()


def _serve(folder: Path, people: Mapping[str, Mapping[str, object]]) -> None:
    from oidc_provider_mock import User, app  # noqa: PLC0415 - only here, where its warnings are ignored
    from werkzeug.serving import make_server  # noqa: PLC0415

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    users = [User(sub=subject, claims=dict(claims)) for subject, claims in people.items()]
    application = app(require_nonce=True, user_claims=users)
    server = make_server("localhost", 0, application, threaded=True, ssl_context=context)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), json.loads(sys.argv[2]))
