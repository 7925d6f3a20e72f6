"""HTTP, and only HTTP: routes in, responses out. Nothing below this room knows it.

Invariants: every request has a bounded path, query, header and body; every response carries the security headers; a
response that holds a record leaves only after its ledger entry is durable.
"""

from carekeep.web.front import WebApplication
from carekeep.web.services import Services
from carekeep.web.subscriptions.engine import NotificationEngine

__all__ = ["NotificationEngine", "Services", "WebApplication"]
