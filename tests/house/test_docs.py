"""Papers that would rot are generated, and compared here with what they are generated from."""

import re
from pathlib import Path

import pytest

from scripts import asvs_page, commands_page, limits_page, settings_page
from tests.house.tree import ROOT

PAGES = {
    "docs/asvs.md": asvs_page.text,
    "docs/commands.md": commands_page.text,
    "docs/limits.md": limits_page.text,
    "docs/settings.md": settings_page.text,
}


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_up_to_date(page: str) -> None:
    written = (ROOT / page).read_text(encoding="utf-8")
    assert written == PAGES[page](), f"run: python -m scripts.{Path(page).stem}_page"


@pytest.mark.parametrize("paper", ["README.md", "ARCHITECTURE.md", "SECURITY.md"])
def test_links_between_papers_lead_somewhere(paper: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / paper).read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), f"{paper} links to {target}"
