"""The sign-in host: the one origin that owns passkeys, and where a person sees and ends what acts for them.

Invariants: its cookies never reach another host; what changes something comes from its own pages; a new proof makes a
new cookie; what was allowed to an app was asked for on a page, in plain words, at this origin.
"""

from carekeep.web.sign_in.site import SEGMENTS, SignInSite

__all__ = ["SEGMENTS", "SignInSite"]
