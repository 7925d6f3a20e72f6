"""What a new installation does not have: accounts, apps, passwords of ours, doors that are open."""

from pathlib import Path

from carekeep.app import System
from carekeep.cli.init import create_unattended
from carekeep.cli.installation import with_system
from carekeep.settings import Settings, load_settings

TABLES = ("account", "app_client", "access_token", "invitation", "passkey", "device", "app_grant", "browser_session")


async def rows_of(system: System) -> dict[str, int]:
    counted = {}
    for table in TABLES:
        row = await system.database.fetch_one(f"SELECT count(*) FROM {table}")  # noqa: S608 - names of ours
        assert row is not None
        counted[table] = row[0]
    return counted


def test_a_new_installation_has_no_accounts(home: Path) -> None:
    assert with_system(home, rows_of) == dict.fromkeys(TABLES, 0)


def test_two_installations_have_no_secret_in_common(home: Path, tmp_path: Path) -> None:
    other = Settings(tmp_path / "other")
    create_unattended(other)
    contents = [
        file.read_bytes()
        for settings in (load_settings(home), other)
        for file in (settings.passphrase_file, settings.front_secret_file, settings.certificate_key)
    ]
    assert len({*contents}) == len(contents)
    assert all(len(content) >= 32 for content in contents)
