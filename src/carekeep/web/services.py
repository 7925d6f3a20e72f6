"""The rooms that the web answers from, as one value; put together by ``carekeep.app``."""

from collections.abc import Callable
from dataclasses import dataclass

from carekeep.access import BreakGlass, Guard, Relationships
from carekeep.access.bundles import PolicyKeeper
from carekeep.access.labelling import Labelling
from carekeep.access.reviews import Reviews
from carekeep.access.sharing import Sharing
from carekeep.audit import EntryIndex, Ledger, VerifierKey
from carekeep.audit.witnessing import Witnesses
from carekeep.encryption import Keyring, Secret
from carekeep.identity import Accounts, SignIn, Throttle, Tokens
from carekeep.identity.apps.app_access import AppAccess
from carekeep.identity.apps.assertions import Assertions
from carekeep.identity.apps.own import OwnSite
from carekeep.identity.apps.proofs import Proofs
from carekeep.identity.apps.replays import Replays
from carekeep.identity.apps.udap import Udap
from carekeep.identity.browser_sessions import BrowserSessions
from carekeep.identity.devices import Devices
from carekeep.identity.invitations import Invitations
from carekeep.identity.known_browsers import KnownBrowsers
from carekeep.identity.leaving import Leaving
from carekeep.identity.notices import Notices
from carekeep.identity.outside import Links, RelyingParty
from carekeep.identity.passkeys import Passkeys
from carekeep.identity.recoveries import Recoveries
from carekeep.records import Vault
from carekeep.records.disposal import Disposals, Holds
from carekeep.storage import Database, Generations
from carekeep.web.attachments.scanning import Scanner
from carekeep.web.health import Lookout
from carekeep.web.outgoing import AllowedHosts
from carekeep.web.outgoing.mailing import Post
from carekeep.web.profiles import Profiles
from carekeep.web.subscriptions import Bindings, Subscriptions


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request may need.

    ``clock`` is milliseconds since 1970; ``import_sources`` are the beginnings of URLs that imports may fetch,
    ``notifiable`` the hosts to which notifications may be sent; ``scanner`` checks attachments (None: nothing does).
    ``post`` takes letters (None: there is no mail relay). ``auth_url`` is the origin of the pages on which people
    sign in, ``own_sites`` are those of patients and of those who work here; ``front_secret`` is what a front proves
    itself with (None: none is believed); ``security_text`` is the file security.txt (empty: there is none).
    """

    fhir_url: str
    auth_url: str
    own_sites: tuple[OwnSite, ...]
    database: Database
    generations: Generations
    keyring: Keyring
    vault: Vault
    ledger: Ledger
    ledger_key: VerifierKey
    entry_index: EntryIndex
    witnesses: Witnesses
    lookout: Lookout
    accounts: Accounts
    sign_in: SignIn
    throttle: Throttle
    tokens: Tokens
    browser_sessions: BrowserSessions
    passkeys: Passkeys
    known_browsers: KnownBrowsers
    relying_party: RelyingParty
    links: Links
    replays: Replays
    apps: AppAccess
    devices: Devices
    invitations: Invitations
    recoveries: Recoveries
    notices: Notices
    leaving: Leaving
    proofs: Proofs
    assertions: Assertions
    udap: Udap | None
    policies: PolicyKeeper
    policy_signers: tuple[VerifierKey, ...]
    guard: Guard
    relationships: Relationships
    break_glass: BreakGlass
    reviews: Reviews
    holds: Holds
    disposals: Disposals
    sharing: Sharing
    post: Post | None
    subscriptions: Subscriptions
    bindings: Bindings
    profiles: Profiles
    labelling: Labelling
    notifiable: AllowedHosts
    front_secret: Secret | None
    security_text: bytes
    clock: Callable[[], int]
    import_sources: tuple[str, ...] = ()
    scanner: Scanner | None = None
