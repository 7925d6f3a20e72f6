"""Carekeep: a FHIR R4 server that keeps health records safe and proves it.

The rooms of the system are the packages beside this file; ARCHITECTURE.md says what lives in each and which may
import which.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
