"""Exports with records of substance use say the notice of 42 CFR 2.32."""

from tests.web.bulk.jobs import export
from tests.web.clinic import Clinic, on_sqlite
from tests.web.test_labels import condition, short

NOTICE = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."


@on_sqlite
async def test_the_notice_goes_with_what_it_is_about(clinic: Clinic) -> None:
    await clinic.put(condition("hiv", "B20"))
    plain = await export(clinic, "Patient/$export", who="ada")
    assert "extension" not in plain.manifest
    assert plain.manifest["error"] == []
    await clinic.put(condition("opioid", "F11.20"))
    labelled = await export(clinic, "Patient/$export", who="ada")
    assert NOTICE in labelled.manifest["extension"].values()
    (item,) = labelled.manifest["error"]
    (outcome,) = labelled.files[item["url"]]
    assert outcome["issue"][0]["diagnostics"].startswith(NOTICE)
    (told,) = [each for each in labelled.resources if each["id"] == "opioid"]
    assert "NORDSCLCD" in short(told)


@on_sqlite
async def test_an_export_without_it_has_no_notice(clinic: Clinic) -> None:
    await clinic.put(condition("opioid", "F11.20", "bob"))
    assert "extension" not in (await export(clinic, "Patient/$export", who="ada")).manifest
