"""``/admin``: what administrators do, by JSON: accounts, devices, apps, recoveries.

Invariants: every request is decided by the policies and has its ledger entry, reading too; a secret (an invitation's
link, a code for a device) is answered once, to who made it; nothing here sets or shows what somebody signs in with.
"""

from carekeep.web.admin.routes import AdminRoutes

__all__ = ["AdminRoutes"]
