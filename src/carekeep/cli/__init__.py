"""The ``carekeep`` command: nouns, then verbs; data on stdout, talk on stderr.

Invariants: every command has help with an example; ``--json`` prints facts for machines; secrets come by prompt or
file and never by argument. Exit codes: 0 done, 1 the answer is no or problems were found, 2 wrong usage, 3 could not
do it, 130 interrupted.
"""

from carekeep.cli.main import main

__all__ = ["main"]
