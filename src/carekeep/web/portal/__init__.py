"""The patient's portal: my records in plain words, who looked at them, and who may.

A page is a module with one function ``answer(to, method, rest)`` and a line in ``pages.py``. It asks policies and
writes entries like any request; it shows nothing that a FHIR read would not give.
"""

from carekeep.web.portal.pages import portal

__all__ = ["portal"]
