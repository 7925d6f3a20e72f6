"""``/scim/v2``: the organization's directory makes, changes and ends the accounts of people (RFC 7643, RFC 7644).

Invariants: only an app with the grant for it gets in, and every request has its ledger entry, reading and refused ones
too; no password comes in this way, and no account of an app is seen; who is not active any more is out with the commit.
The library of the models is loaded at the first request, so that a server without a directory starts as quickly.
"""

from carekeep.web.scim.routes import ScimRoutes

__all__ = ["ScimRoutes"]
