"""The clinician's chart of one patient: what is read, written and opened in an emergency, as pages.

Invariants: every record is decided as a FHIR read is, and the entry is durable before the page leaves. A patient whom
one may not see and a patient who is not there get the same answer. Whether something is hidden is told to nobody: the
page says what may be hidden, and why, the same for everyone. Pages below ``emergency/`` state emergency treatment as
their purpose of use; no other page does.
"""
