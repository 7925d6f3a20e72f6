"""What can be seen of this machine, on Linux: is the disk encrypted, does the screen lock, which system is it.

What cannot be found out is reported as not known. Nothing here needs more rights than whoever runs it has.
"""

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from carekeep.identity.posture import Posture

_PATIENCE_S = 5
_DEEPEST = 16  # devices on devices: LVM on LUKS on RAID on a partition is four
_LOCK = ("get", "org.gnome.desktop.screensaver", "lock-enabled")
_VERSION = re.compile(r"\d[\w.~+-]{0,63}")


def posture_here() -> Posture:
    """The posture of this machine."""
    name, version = _system()
    return Posture(is_disk_encrypted(Path("/")), _screen_locks(), name, version)


def is_disk_encrypted(root: Path) -> bool | None:
    """Whether the file system at ``/`` is on an encrypted device; None when that cannot be seen. ``root``: for tests.

    A device of the device mapper says by its uuid what it is (``CRYPT-LUKS2-…``); of another one (LVM, RAID) all of
    those below it must be encrypted.
    """
    number = _device_of_root(root)
    if number is None:
        return None
    device = root / "sys" / "dev" / "block" / number
    return _is_encrypted(device, _DEEPEST) if device.exists() else None


def _is_encrypted(device: Path, depth: int) -> bool:
    try:
        if (device / "dm" / "uuid").read_text("ascii").startswith("CRYPT-"):
            return True
    except OSError:
        pass
    below = list((device / "slaves").glob("*")) if depth else []
    return bool(below) and all(_is_encrypted(each, depth - 1) for each in below)


def _device_of_root(root: Path) -> str | None:
    """``major:minor`` of the device on which ``/`` is, by the table of mounts (proc(5), mountinfo)."""
    try:
        lines = (root / "proc" / "self" / "mountinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split(" ")
        if len(fields) > 4 and fields[4] == "/":  # noqa: PLR2004 - the mount point's place
            if not fields[2].startswith("0:"):
                return fields[2]
            # btrfs and its kin have no number of their own, but tell the device that they are on.
            return _number_of(root, fields[fields.index("-") + 2] if "-" in fields else "")
    return None


def _number_of(root: Path, source: str) -> str | None:
    if not source.startswith("/dev/"):
        return None
    try:
        found = (root / source[1:]).stat().st_rdev
    except OSError:
        return None
    return f"{os.major(found)}:{os.minor(found)}"


def _screen_locks() -> bool | None:
    """What the desktop is set to; None where there is no such desktop."""
    program = shutil.which("gsettings")
    if program is None:
        return None
    try:
        ran = subprocess.run(  # noqa: S603 - a fixed list of arguments
            [program, *_LOCK], capture_output=True, check=False, timeout=_PATIENCE_S, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {b"true": True, b"false": False}.get(ran.stdout.strip())


def _system() -> tuple[str, str]:
    """The name and version in os-release(5)."""
    try:
        told = platform.freedesktop_os_release()
    except OSError:
        return "", ""
    version = _VERSION.match(told.get("VERSION_ID", ""))
    return told.get("ID", "").lower()[:64], version.group() if version else ""
