"""A moment at which simulated hospitals of these tests stand still."""

import datetime

NOW = datetime.datetime(2026, 11, 1, 9, 0, tzinfo=datetime.UTC)
