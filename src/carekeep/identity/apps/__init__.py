"""Apps: how they are known, what they were given, and how they prove themselves with each request.

Invariants: a signature is checked by an algorithm that is allowed where it is checked, with a key that was known before
(or is itself what is proven, DPoP); what may be used once is remembered in the database, for every worker; what a proof
is about comes from the settings, never from a header that the client wrote.
"""
