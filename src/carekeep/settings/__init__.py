"""What an installation says about itself: one small TOML file, ``carekeep.toml``, in its home folder.

A setting that is not known is refused, and no secret is among them. Tables are read by the rooms that they are for.
"""

from carekeep.settings.checking import MOST_WORKERS
from carekeep.settings.errors import SettingsError
from carekeep.settings.reading import FILE_NAME, load_settings, write_settings
from carekeep.settings.settings import Settings

__all__ = ["FILE_NAME", "MOST_WORKERS", "Settings", "SettingsError", "load_settings", "write_settings"]
