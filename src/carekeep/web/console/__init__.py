"""The pages of those who work here: the clinician's chart, and the console of officers and administrators.

A page is a module with one function ``answer(to, method, rest)`` and a line in ``pages.py``, which also says for whom
it is. It asks policies and writes entries like any request.
"""

from carekeep.web.console.pages import console

__all__ = ["console"]
