"""What is not there cannot be attacked: technologies that ``docs/asvs.toml`` calls not applicable are in no import.

When one of them comes, its test fails, and what ASVS asks of it has to be shown.
"""

import ast
import re
import tomllib
from functools import cache

import pytest

from tests.house.tree import ROOT, python_files

# Technology: packages and modules that would bring it, by the first names of their imports.
ABSENT = {
    "LDAP": {"ldap", "ldap3", "bonsai"},
    "XPath and XML trees": {"lxml", "elementpath", "xmltodict", "defusedxml", "xml.etree", "xml.dom", "xml.sax"},
    "SAML": {"saml2", "onelogin", "pysaml2", "signxml", "xmlsec"},
    "GraphQL": {"graphql", "graphene", "strawberry", "ariadne"},
    "LaTeX": {"pylatex", "latex", "tectonic"},
    "JNDI": {"jpype", "jnius", "py4j"},
    "memcache": {"memcache", "pymemcache", "pylibmc", "aiomcache", "bmemcached"},
    "mail that is read, and other ways to send it": {"smtplib", "imaplib", "poplib", "smtpd", "aiosmtpd", "sendgrid"},
    "telephone, SMS and push": {"twilio", "vonage", "messagebird", "pyfcm", "firebase_admin", "apns2", "aioapns"},
    "WebRTC": {"aiortc", "aioice", "pylibsrtp", "pjsua2"},
    "spreadsheets": {"openpyxl", "xlsxwriter", "xlwt", "pandas", "odf", "ezodf"},
    "archives": {"zipfile", "tarfile", "bz2", "lzma", "py7zr", "rarfile", "zstandard", "brotli"},
    "pictures": {"PIL", "cv2", "imageio", "wand"},
    "markup that people write": {"markdown", "markdown_it", "mistune", "docutils", "bbcode", "bleach", "nh3"},
    "memory of our own": {"ctypes", "cffi", "mmap", "numpy"},
}
# Names under which WebRTC, LDAP and the like would be used without an import (schemes, classes of the browser).
WORDS = re.compile(r"\b(ldaps?://|jndi:|RTCPeerConnection|stuns?:\w|turns?:\w|SAMLResponse)|\\write18")


@cache
def imported() -> frozenset[str]:
    """Every module that the product imports, and each package that it is in."""
    names: set[str] = set()
    for file in python_files("src/"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    parts = [name.split(".") for name in names]
    return frozenset(".".join(each[:size]) for each in parts for size in range(1, len(each) + 1))


def required() -> set[str]:
    """What the project asks for, as one would import it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = project["dependencies"] + [each for extra in project["optional-dependencies"].values() for each in extra]
    return {re.split(r"[^\w.-]", each)[0].replace("-", "_") for each in asked}


@pytest.mark.parametrize("technology", ABSENT)
def test_is_not_there(technology: str) -> None:
    assert not ABSENT[technology] & (imported() | required())


def test_what_is_not_there_is_not_used_without_an_import_either() -> None:
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "src").rglob("*.js"), *(ROOT / "src").rglob("*.html")]
    assert not [str(file) for file in sources if WORDS.search(file.read_text("utf-8"))]


def test_an_import_would_be_noticed() -> None:
    assert {"xml.parsers.expat", "xml.parsers", "xml", "sqlite3", "carekeep.web"} <= imported()
    assert {"granian", "cryptography", "psycopg"} <= required()
