"""Every text of the pages is there in German, says the same, and none is kept that no page shows."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module, resources
from importlib.resources.abc import Traversable
from io import BytesIO
from typing import Final

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from carekeep.access.consents.switches import SENSITIVE
from carekeep.access.labelling import Rules
from carekeep.audit.views.record_kinds import kinds_of
from carekeep.fhir import RESOURCE_TYPES
from carekeep.web.amending import rules as amending
from carekeep.web.browser.languages import LANGUAGES
from carekeep.web.messaging.sending import LONGEST_TEXT
from carekeep.web.plain import statuses
from carekeep.web.plain.familiar import FAMILIAR
from carekeep.web.portal import appointment_views, looks, people_views, sharing_views, timeline
from carekeep.web.portal.pages import PAGES
from carekeep.web.sites import site

TRANSLATED: Final = ("carekeep.web.browser", "carekeep.web.sites", "carekeep.web.portal")
NOT_WHOLE_YET: Final = ("carekeep.web.console",)
"""Pages for staff: what is not translated yet is shown in English. Move it up when it is whole."""

SPOKEN: Final = "carekeep.web.plain"
"""The room of the sentences about records, which has no templates; ``Speech.say`` finds them."""


def _files(folder: Traversable, ending: str) -> Iterator[Traversable]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _files(each, ending)
        elif each.name.endswith(ending):
            yield each


def _raised(package: str, error: str) -> set[str]:
    """The texts with which a package raises an error, where they stand as they are."""
    found = set()
    for file in _files(resources.files(package), ".py"):
        for node in ast.walk(ast.parse(file.read_bytes())):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(text))]) if name == error:
                    found.add(text)
    return found


FROM_PYTHON: Final[dict[str, Iterable[str]]] = {
    "titles of the portal's pages": [page.title for page in PAGES.values() if page.title],
    "titles of failures": site.TITLES.values(),
    "kinds of records": [kind.title for kind in timeline.KINDS],
    "states of appointments": appointment_views.STATES,
    "states of links and guests": sharing_views.STATES,
    "categories of sensitive records": [each.title for each in Rules.bundled().categories],
    "sensitive records with a switch": SENSITIVE.values(),
    "what is wrong with a request to correct something": [
        f"{asked} Use {amending.LEAST} to {amending.LONGEST} characters."
        for asked in ("Please write what is wrong.", "Please write why you disagree.")
    ],
    "why an appointment cannot be made": _raised("carekeep.web.booking", "NotBookable"),
    "what is wrong with a message": [f"Please write at most {LONGEST_TEXT} characters."],
    "reasons of looks": looks.REASONS,
    "what those who act for a patient may see": [title for title, _ in people_views.KINDS.values()],
    "who acts for a patient": people_views.RELATIONSHIPS.values(),
    "kinds of records in a look": {kind for type_ in sorted(RESOURCE_TYPES) for kind in kinds_of([type_])},
}
"""What templates give to ``gettext``; add a line for each new table of texts."""

_FUNCTIONS: Final = ("_", "gettext", "ngettext")
_HOLE: Final = re.compile(r"%\((\w+)\)s|\{(\w+)\}")
_TAG: Final = re.compile(r"</?\w+>")
_OTHERS: Final = tuple(tag for tag in LANGUAGES if tag != "en")


@cache
def _catalogue(room: str, language: str) -> Catalog | None:
    file = resources.files(room) / "languages" / f"{language}.po"
    return read_po(BytesIO(file.read_bytes()), locale=language, abort_invalid=True) if file.is_file() else None


def _catalogues(*more: str) -> list[Catalog]:
    rooms = (*TRANSLATED, *more)
    return [found for room in rooms for tag in _OTHERS if (found := _catalogue(room, tag)) is not None]


def _messages(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id]


def _forms(text: str | Iterable[str] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ())


@cache
def _of_templates(room: str) -> frozenset[str]:
    """The texts of a room's templates; of those with a plural, the singular."""
    found: set[str] = set()
    for file in _files(resources.files(room) / "templates", ".html"):
        for _, _, text, _ in babel_extract(BytesIO(file.read_bytes()), _FUNCTIONS, [], {"silent": "false"}):
            first = text if text is None or isinstance(text, str) else text[0]
            found |= {first} if first else set()
    return frozenset(found)


@cache
def _of_python() -> frozenset[str]:
    """Every string that stands in the code of the pages, or is known to be given to them from elsewhere."""
    found = {text for texts in FROM_PYTHON.values() for text in texts}
    for package in ("carekeep.web", "carekeep.audit.views", "carekeep.access"):
        for file in _files(resources.files(package), ".py"):
            found |= {
                node.value
                for node in ast.walk(ast.parse(file.read_bytes()))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
    return frozenset(found)


def _said() -> set[str]:
    """The texts that stand as they are in a call of ``Speech.say`` or ``Speech.say_many``."""
    found = set()
    for room in (SPOKEN, *TRANSLATED):
        for file in _files(resources.files(room), ".py"):
            for node in ast.walk(ast.parse(file.read_bytes())):
                match node:
                    case ast.Call(
                        func=ast.Attribute(attr="say" | "say_many"), args=[ast.Constant(value=str(text)), *_]
                    ):
                        found.add(text)
    return found


def _holes(text: str) -> set[str]:
    return {one or other for one, other in _HOLE.findall(text)}


@pytest.mark.parametrize("language", _OTHERS)
@pytest.mark.parametrize("room", TRANSLATED)
def test_each_text_of_a_template_is_translated(room: str, language: str) -> None:
    known = {
        _forms(message.id)[0]
        for each in TRANSLATED
        if (catalogue := _catalogue(each, language)) is not None
        for message in _messages(catalogue)
    }
    assert sorted(_of_templates(room) - known) == []


@pytest.mark.parametrize("language", _OTHERS)
@pytest.mark.parametrize("what", FROM_PYTHON)
def test_each_text_that_templates_are_given_is_translated(what: str, language: str) -> None:
    catalogues = [found for room in TRANSLATED if (found := _catalogue(room, language)) is not None]
    assert [text for text in FROM_PYTHON[what] if not any(text in each for each in catalogues)] == []


@pytest.mark.parametrize("language", _OTHERS)
def test_each_sentence_about_records_is_translated(language: str) -> None:
    catalogue = _catalogue(SPOKEN, language)
    assert catalogue is not None
    known = {_forms(message.id)[0] for message in _messages(catalogue)}
    familiar = {text for each in FAMILIAR.values() for text in (each.name, each.about) if text}
    assert sorted((familiar | statuses.ALL | _said()) - known) == []


def test_no_translation_is_empty_doubtful_or_left_over() -> None:
    used = _of_python().union(*map(_of_templates, TRANSLATED))
    for catalogue in _catalogues():
        assert not catalogue.obsolete
        assert [message.id for message in _messages(catalogue) if message.fuzzy] == []
        assert [message.id for message in _messages(catalogue) if not all(_forms(message.string))] == []
        assert [text for message in _messages(catalogue) if (text := _forms(message.id)[0]) not in used] == []


def test_translations_name_the_same_values_and_hold_the_same_tags() -> None:
    for catalogue in _catalogues(*NOT_WHOLE_YET, SPOKEN):
        for message in _messages(catalogue):
            texts, translated = _forms(message.id), _forms(message.string)
            assert len(translated) == (catalogue.num_plurals if len(texts) > 1 else 1), message.id
            assert _holes(translated[-1]) == _holes(texts[-1]), message.id  # "One message" need not say its count
            assert all(_holes(each) <= _holes(texts[-1]) for each in translated), message.id
            assert all(_TAG.findall(each) == _TAG.findall(texts[-1]) for each in translated), message.id


def test_no_room_translates_a_text_twice() -> None:
    for room in (*TRANSLATED, *NOT_WHOLE_YET, SPOKEN):
        for language in _OTHERS:
            file = resources.files(room) / "languages" / f"{language}.po"
            texts = re.findall(r"^msgid (.+)$", file.read_text() if file.is_file() else "", re.MULTILINE)
            assert len(texts) == len(set(texts)), room


def test_every_room_with_templates_says_whether_it_is_translated() -> None:
    web = resources.files("carekeep.web")
    rooms = {f"carekeep.web.{each.name}" for each in web.iterdir() if (each / "templates").is_dir()}
    assert rooms == {*TRANSLATED, *NOT_WHOLE_YET}
    assert all(import_module(room) for room in rooms)
