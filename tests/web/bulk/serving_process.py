"""The real server, with small steps so that a test can be quicker than an export: ``… <home>``."""

import sys
from pathlib import Path

from carekeep.cli.installation import read_passphrase
from carekeep.cli.serve import run_worker
from carekeep.settings import load_settings
from carekeep.web.bulk import exporting, jobs

if __name__ == "__main__":
    exporting.PAGE = exporting.STEP = 10
    jobs.LEASE_MS = 500
    settings = load_settings(Path(sys.argv[1]))
    run_worker(settings, read_passphrase(settings))
