"""Whether a request that changes something comes from a page of ours: by what the browser says, not by tokens.

Browsers send ``Sec-Fetch-Site`` (Fetch Metadata) and ``Origin`` with every POST, and scripts cannot set them. Together
with SameSite cookies that is the defence against cross-site requests (ASVS 3.5.1 to 3.5.3).
"""

from carekeep.web.http import Request
from carekeep.web.problems import problem


def refuse_other_origins(request: Request, origin: str) -> None:
    """Raises 403 when a request is not from a page of ``origin`` (``https://host[:port]``)."""
    site = request.header(b"sec-fetch-site")
    if site not in {None, "same-origin"} or request.header(b"origin") != origin:
        raise problem(403, "forbidden", "This can only be asked by a page of this site. Open the page and try again.")
