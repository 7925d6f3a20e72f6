"""Why settings cannot be used."""


class SettingsError(Exception):
    """The settings cannot be used; the text names the setting, the file, and what to write instead."""
