"""What the portal and the console share: how people come in, whose page it is, and what they see when it fails.

Invariants: nobody is anybody at a site before the sign-in site said so (code flow, PKCE, RFC 9207); a session is good
at one site alone; every page is decided and recorded as a request of its person; what changes something is a POST from
a page of the same site.
"""

from carekeep.web.sites.site import Page, Site
from carekeep.web.sites.visit import Visit, nothing_here

__all__ = ["Page", "Site", "Visit", "nothing_here"]
