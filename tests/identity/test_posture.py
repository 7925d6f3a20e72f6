"""What a report is compared with, as a table; and what is no report and no table of minimums."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.identity.posture import Minimums, Posture, PostureRefused, judge

GOOD = Posture(disk_encrypted=True, screen_lock=True, os="debian", os_version="12.4")
DEBIAN_12 = Minimums.read({"minimum_os": {"debian": "12", "ubuntu": "10.0.19"}})


def posture(**given_: Any) -> Posture:
    return Posture.read({**GOOD.facts(), **given_})


@pytest.mark.parametrize(
    ("report", "minimums", "reasons"),
    [
        (GOOD, Minimums(), ()),
        (GOOD, DEBIAN_12, ()),
        (posture(disk_encrypted=False), Minimums(), ("The disk is not encrypted.",)),
        (posture(disk_encrypted=None), Minimums(), ("It is not known whether the disk is encrypted.",)),
        (posture(disk_encrypted=False), Minimums(require_disk_encryption=False), ()),
        (posture(screen_lock=False), Minimums(), ("The screen does not lock.",)),
        (posture(screen_lock=None), Minimums(), ("It is not known whether the screen locks.",)),
        (posture(screen_lock=None), Minimums(require_screen_lock=False), ()),
        (posture(os_version="11.9"), DEBIAN_12, ("The operating system is older than debian 12.",)),
        (posture(os_version="12"), DEBIAN_12, ()),
        (posture(os_version="12.0.0"), DEBIAN_12, ()),
        (posture(os_version="9"), DEBIAN_12, ("The operating system is older than debian 12.",)),
        (posture(os_version=""), DEBIAN_12, ("The operating system is older than debian 12.",)),
        (posture(os_version="trixie/sid"), DEBIAN_12, ("The operating system is older than debian 12.",)),
        (posture(os="ubuntu", os_version="10.1 x"), DEBIAN_12, ()),
        (posture(os="ubuntu", os_version="9.1 x"), DEBIAN_12, ("The operating system is older than ubuntu 10.0.19.",)),
        (posture(os="fedora", os_version="1"), DEBIAN_12, ()),
        (posture(os="", os_version=""), DEBIAN_12, ("It is not known which operating system it is.",)),
        (posture(os="", os_version=""), Minimums(), ()),
    ],
)  # fmt: skip
def test_verdicts(report: Posture, minimums: Minimums, reasons: tuple[str, ...]) -> None:
    verdict = judge(report, minimums)
    assert verdict.reasons == reasons
    assert verdict.is_healthy is (not reasons)


@given(st.lists(st.integers(0, 99), min_size=1, max_size=4), st.lists(st.integers(0, 99), min_size=1, max_size=4))
def test_versions_are_compared_as_numbers(version: list[int], lowest: list[int]) -> None:
    minimums = Minimums.read({"minimum_os": {"debian": ".".join(map(str, lowest))}})
    width = max(len(version), len(lowest))
    padded = [each + [0] * (width - len(each)) for each in (version, lowest)]
    healthy = judge(posture(os_version=".".join(map(str, version))), minimums).is_healthy
    assert healthy is (padded[0] >= padded[1])


@pytest.mark.parametrize(
    "given_",
    [
        {"disk_encrypted": "yes"},
        {"screen_lock": 1},
        {"os": 1},
        {"os": "Debian GNU"},
        {"os": "x" * 65},
        {"os_version": None},
        {"os_version": "1" * 65},
        {"os_version": "1\n2"},
    ],
)
def test_what_is_no_report(given_: dict[str, Any]) -> None:
    with pytest.raises(PostureRefused):
        posture(**given_)


@pytest.mark.parametrize(
    "table",
    [
        {"require_disks": True},
        {"require_disk_encryption": "yes"},
        {"require_screen_lock": 1},
        {"report_hours": 0},
        {"report_hours": True},
        {"report_hours": 10_000},
        {"minimum_os": ["debian"]},
        {"minimum_os": {"Debian": "12"}},
        {"minimum_os": {"debian": 12}},
        {"minimum_os": {"debian": "bookworm"}},
    ],
)
def test_what_is_no_table_of_minimums(table: dict[str, object]) -> None:
    with pytest.raises(PostureRefused):
        Minimums.read(table)


@given(
    st.fixed_dictionaries(
        {
            "require_disk_encryption": st.booleans(),
            "require_screen_lock": st.booleans(),
            "report_hours": st.integers(1, 700),
        },
        optional={"minimum_os": st.just({"debian": "12.4"})},
    )
)
def test_a_table_is_written_as_it_was_read(table: dict[str, object]) -> None:
    assert Minimums.read(table).table() == table
