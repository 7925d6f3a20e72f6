"""The page where anybody checks a proof of the ledger: their browser does it, and is kept from sending anything."""

from carekeep.web.http import Response
from carekeep.web.sign_in.visits import Visit, nothing_here


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``/ledger/check``. Nobody needs to sign in: nothing of this server is shown but the ledger's public key."""
    if method != "GET" or rest != ("check",):
        raise nothing_here()
    return to.pages.page("ledger_check.html", sends=False, key=str(to.services.ledger_key))
