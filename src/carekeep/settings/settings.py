"""Every setting: what it is by default, and what it is for."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from carekeep.access.consents import Implicit
from carekeep.access.zones import Zones
from carekeep.audit.anchors import AnchorSettings
from carekeep.audit.export import SiemSettings
from carekeep.fhir.validation.strictness import Strictness
from carekeep.identity.apps.own import CONSOLE, PORTAL, OwnSite
from carekeep.identity.apps.udap_settings import CommunitySettings
from carekeep.identity.outside import Providers
from carekeep.identity.posture import Minimums
from carekeep.records.disposal import Retention
from carekeep.settings.origins import is_address
from carekeep.web.outgoing.mail_settings import MailSettings


def _setting(default: Any, about: str) -> Any:
    return field(default=default, metadata={"about": about})


@dataclass(frozen=True, slots=True)
class Settings:
    """An installation's settings. Secrets are not among them: the passphrase comes by file or prompt.

    ``base_url`` is what clients see, without a path; FHIR is below it at ``/fhir``. ``database_url`` is
    ``sqlite:///…`` or ``postgresql://…``; its password may come from ``~/.pgpass`` or the environment of libpq.
    """

    home: Path
    base_url: str = _setting("https://localhost:8443", "What clients see; FHIR is below it at `/fhir`.")
    auth_url: str = _setting("", "Where people sign in; empty for `auth.` before the host of `base_url`, same port.")
    portal_url: str = _setting("", "Patients' pages; empty for `portal.` before the host of `base_url`, same port.")
    console_url: str = _setting("", "Pages of those who work here; empty for `console.` before that host, same port.")
    bind: str = _setting("127.0.0.1", "The address to listen on.")
    port: int = _setting(8443, "The port to listen on.")
    workers: int = _setting(1, "How many web workers, each a process of its own.")
    database_url: str = _setting("", "`postgresql://…`; empty for a SQLite file in the folder.")
    ledger_origin: str = _setting("localhost/carekeep", "The ledger's name in checkpoints. Never changes once in use.")
    tls_certificate: str = _setting("tls/server.pem", "The certificate chain, PEM; relative to the folder.")
    tls_key: str = _setting("tls/server.key", "Its key, PEM.")
    front_secret: str = _setting(
        "front.secret",
        "The file with the secret by which the front of [tls.md](tls.md) is known; relative to the folder. What is "
        "said of a client without it (its address, its certificate) is not believed.",
    )
    security_contact: str = _setting(
        "", "Who is told of weaknesses: a URL, `mailto:` too. Empty: there is no `/.well-known/security.txt`."
    )
    security_expires: str = _setting("", "The day until which the contact holds, like `2027-10-01`; within a year.")
    security_policy: str = _setting("", "The URL of the policy for those who report weaknesses, if there is one.")
    security_languages: str = _setting("en", "The languages that the contact reads, commas between.")
    subscription_hosts: str = _setting(
        "",
        "Hosts that may be sent notifications: names (with `:port` if not 443), and networks like `10.1.2.0/24` for "
        "those of them that are not public; spaces between. Empty: rest-hooks are refused.",
    )
    app_key_hosts: str = _setting(
        "",
        "Hosts from which the keys of apps may be fetched (`jwks_uri`), written like `subscription_hosts`. Empty: apps "
        "register their keys themselves.",
    )
    witness_policy: str = _setting(
        "",
        "The file (C2SP tlog-policy) with the witnesses that cosign checkpoints, their quorum, and other logs to "
        "watch; relative to the folder. See [witnesses.md](witnesses.md). Empty: there are none.",
    )
    witness_networks: str = _setting(
        "", "Networks like `10.1.2.0/24` that witnesses and watched logs may be in, if not public; spaces between."
    )
    policy_signers: str = _setting(
        "",
        "Whose signature a policy bundle must have: keys as `carekeep policy new-key` prints them, spaces between. "
        "Empty: bundles need none.",
    )
    scanner: str = _setting(
        "",
        "The ClamAV daemon that checks attachments of messages: `unix:/run/clamav/clamd.ctl` or `tcp:127.0.0.1:3310`. "
        "Empty: pictures and plain text are taken, and no PDF.",
    )
    import_sources: str = _setting(
        "", "Where `$import` may fetch from: beginnings of URLs, spaces between; or nowhere."
    )
    review_hours: int = _setting(72, "Within how many hours the supervisor or an auditor answers for an emergency.")
    validation: Strictness = field(
        default_factory=Strictness,
        metadata={
            "about": "A table. `default` and any resource type are `strict` (what breaks a rule is refused) or "
            "`lenient` (it is warned of, if the resource can be read at all); `reference_existence` is true, false, "
            "or a list of types whose references must lead to a record."
        },
    )
    device_posture: Minimums = field(
        default_factory=Minimums,
        metadata={
            "about": "A table: what a device must report to count as healthy. `minimum_os` is a table of versions by "
            "the name of the system (`debian`, `windows`, …); `report_hours` is how long a report holds at most."
        },
    )

    federation: Providers = field(
        default_factory=Providers,
        metadata={
            "about": "Tables `[federation.NAME]`, one for each OpenID provider: `title`, `issuer`, `client_id`, "
            "`client_secret_file`, `roles` (their word = our kind of account), `role_claim`, `login_claim`, "
            "`fhir_user_claim`, `strong` (what means a second factor), `creates`. See [sign-in.md](sign-in.md)."
        },
    )
    udap: CommunitySettings = field(
        default_factory=CommunitySettings,
        metadata={
            "about": "A table: the trust community that this server belongs to (UDAP). `community` is its URI; "
            "`anchors`, `revoked` (lists of revoked certificates), `certificate` (this server's, which must name the "
            "FHIR base URL as a URI) and `key` are PEM files, relative to the folder."
        },
    )
    consent_default: str = _setting(
        Implicit.ALL_NORMAL.value,
        "What holds for patients of whom no consent says anything: `all-normal`, `basic-normal` (treatment only), "
        "`break-glass-only` or `deny`. See [consent.md](consent.md).",
    )
    smtp: MailSettings = field(
        default_factory=MailSettings,
        metadata={
            "about": "A table: the mail relay by which outside clinicians are invited. `host`, `port`, `from` (the "
            "sender's address), `security` (`tls` or `starttls`), `user`, `password_file`, `authority` (a PEM file); "
            "files relative to the folder. Without it, invitations are handed over by whoever invites."
        },
    )
    retention: Retention = field(
        default_factory=Retention,
        metadata={
            "about": "A table: how long records are kept. `schedules` (names), `majority` (the age of coming of age), "
            "`file` (TOML with rules of your own, relative to the folder). See [disposal.md](disposal.md)."
        },
    )
    anchor: AnchorSettings = field(
        default_factory=AnchorSettings,
        metadata={
            "about": "A table: the chain on which checkpoints are anchored. `url` of a node (JSON-RPC), `chain` (its "
            "id), `contract` (an address; `carekeep ledger anchor-contract` makes one), `key_file` (64 hexadecimal "
            "digits, mode 0600), `every` (hours, 24 by default), `confirmations` (blocks, 12 by default). See "
            "[ledger.md](ledger.md). Without it, nothing is anchored."
        },
    )
    siem: SiemSettings = field(
        default_factory=SiemSettings,
        metadata={
            "about": "Tables `[siem.NAME]`, one for each receiver of the ledger's events: `kind` (`syslog` or "
            "`webhook`), `url`, `format` (`ocsf` or `atna`), `networks`, `actions`, `outcomes`, and the files `ca`, "
            "`certificate`, `key`. See [siem.md](siem.md)."
        },
    )
    zones: Zones = field(
        default_factory=Zones,
        metadata={
            "about": "A table: names of parts of the network, each with a list of networks, like `hospital = "
            '["10.0.0.0/8"]`. Policies see the name as the place that a request comes from. What is in none of them is '
            "`inside` (this machine and private networks) or `outside`; a network may be named `outside` as well."
        },
    )

    @property
    def database(self) -> str:
        """The database's URL; by default a SQLite file in the home folder."""
        return self.database_url or f"sqlite://{quote(str(self.home / 'carekeep.db'))}"

    @property
    def fhir_url(self) -> str:
        """The FHIR base URL."""
        return f"{self.base_url}/fhir"

    @property
    def sign_in_url(self) -> str:
        """The origin at which people sign in, and the name of the token issuer."""
        return self.auth_url or self._beside("auth")

    @property
    def own_sites(self) -> tuple[OwnSite, ...]:
        """The sites for patients, and for those who work here; none beside a mere address unless it is named."""
        found = {PORTAL: self.portal_url, CONSOLE: self.console_url}
        if not is_address(urlsplit(self.base_url).hostname or ""):
            found = {name: origin or self._beside(name) for name, origin in found.items()}
        return tuple(OwnSite(name, origin) for name, origin in found.items() if origin)

    def _beside(self, name: str) -> str:
        """The origin of a host below that of the API."""
        url = urlsplit(self.base_url)
        port = "" if url.port is None else f":{url.port}"
        return f"https://{name}.{url.hostname}{port}"

    @property
    def key_file(self) -> Path:
        """The passphrase-sealed key file."""
        return self.home / "carekeep.keys"

    @property
    def passphrase_file(self) -> Path:
        """Where the passphrase may lie for unattended starts; mode 0600, better on another disk."""
        return self.home / "passphrase"

    @property
    def front_secret_file(self) -> Path:
        """The secret that the front and the server share; mode 0600."""
        return self.home / self.front_secret

    @property
    def witness_file(self) -> Path:
        """The newest checkpoint, kept outside the database: shows when the database was put back to an older state."""
        return self.home / "checkpoint"

    @property
    def certificate(self) -> Path:
        """The server's certificate chain."""
        return self.home / self.tls_certificate

    @property
    def certificate_key(self) -> Path:
        """The key of the server's certificate."""
        return self.home / self.tls_key
