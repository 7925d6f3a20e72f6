"""How fast Carekeep is, beside the same server with nothing in it and a store with no security; see README.md here.

Invariants: loopback only; every measurement is bounded in requests and in time and stops by itself; a wrong answer
stops the run, so that no figure counts answers that were errors.
"""
