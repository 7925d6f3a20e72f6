"""What pages and scripts are made of: nothing that runs text, keeps data in the browser, or comes from elsewhere."""

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser

import pytest

from tests.house.tree import PACKAGE

WEB = PACKAGE / "web"
ROOMS = ("browser", "sites", "portal", "console")


def sources(folder: str, ending: str) -> Mapping[str, str]:
    """The texts of all rooms with pages, by room and path."""
    return {
        file.relative_to(WEB).as_posix(): file.read_text("utf-8")
        for room in ROOMS
        for file in sorted((WEB / room).glob(f"**/{folder}/**/*.{ending}"))
    }


TEMPLATES = sources("templates", "html")
SCRIPTS = sources("static", "js")
STYLES = sources("static", "css")

RUNS_TEXT = re.compile(
    r"\b(eval|Function|setTimeout\s*\(\s*[\"'`]|setInterval\s*\(\s*[\"'`]|innerHTML|outerHTML|insertAdjacentHTML|write(ln)?"
    r"|parseFromString|createContextualFragment|srcdoc|setHTMLUnsafe|postMessage|onmessage)\b|[\"']message[\"']"
)
KEEPS = re.compile(r"\b(localStorage|sessionStorage|indexedDB|caches|cookie|cookieStore|serviceWorker|openDatabase)\b")
SETS_BY_NAME = re.compile(r"[\w)\]]\[[^\]\n]*\]\s*=(?!=)|\bObject\.assign\b|\bReflect\.set\b|__proto__|\bprototype\b")
COMMENT = re.compile(r"^\s*//[^\n]*$|/\*.*?\*/", re.MULTILINE | re.DOTALL)
SECRET_QUESTION = re.compile(r"maiden|secret question|security question|password hint|name=\"hint\"", re.IGNORECASE)


class Elements(HTMLParser):
    """The elements of a template: (name, attributes) each."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))


def elements() -> Iterator[tuple[str, str, dict[str, str]]]:
    """(template, element, attributes) of all templates."""
    for name, text in TEMPLATES.items():
        parser = Elements()
        parser.feed(text)
        yield from ((name, tag, attributes) for tag, attributes in parser.found)


def code(name: str) -> str:
    return COMMENT.sub("", SCRIPTS[name])


def test_there_is_something_to_look_at() -> None:
    names = {f"browser/templates/{name}.html" for name in ("layout", "sign_in")}
    assert names | {"sites/templates/site.html"} <= TEMPLATES.keys()
    assert "browser/static/passkey.js" in SCRIPTS
    assert {tag for _, tag, _ in elements()} >= {"form", "input", "script", "link", "a"}


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_escape_everything(name: str) -> None:
    """Jinja2 escapes what is not said to be safe, as long as attributes are quoted."""
    text = TEMPLATES[name]
    assert not re.search(r"\|\s*(safe|xmlattr|tojson)\b|autoescape|Markup", text)
    assert not re.search(r"\s(?!url=)[\w-]+=\s*\{\{", text), "an attribute without quotes"
    assert "environment" not in text.lower()


@pytest.mark.parametrize("name", TEMPLATES)
def test_only_literals_count_as_safe(name: str) -> None:
    """What jinja2's gettext gives is not escaped; names and reasons go through the filter ``speak``."""
    assert not re.findall(r"(?<!\w)(?:n?gettext|_)\((?![\"'])", TEMPLATES[name])


def test_scripts_come_from_files_of_ours() -> None:
    scripts = [attributes for _, tag, attributes in elements() if tag == "script"]
    assert scripts
    for attributes in scripts:
        assert attributes["nonce"] == "{{ nonce }}"
        if attributes.get("type") == "importmap":  # says which file of ours a name means, and runs nothing
            continue
        if "defer" not in attributes:  # what is from others stands as they made it
            assert attributes["type"] == "module"  # with a scope of its own, and strict
        assert re.fullmatch(r"\{\{ static\('[a-z_-]+\.js'\) \}\}", attributes["src"])
    for name, tag, attributes in elements():
        handlers = [each for each in attributes if each.startswith("on") or each == "style"]
        assert not handlers, (name, tag)
        assert not any(value.strip().lower().startswith("javascript:") for value in attributes.values())


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_do_nothing_that_runs_text(name: str) -> None:
    assert not RUNS_TEXT.findall(code(name))


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_keep_nothing_in_the_browser(name: str) -> None:
    assert not KEEPS.findall(code(name))


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_set_no_member_by_a_name_from_outside(name: str) -> None:
    assert not SETS_BY_NAME.findall(code(name))


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (RUNS_TEXT, "x.innerHTML = y"),
        (RUNS_TEXT, "setTimeout('x()', 1)"),
        (RUNS_TEXT, 'addEventListener("message", f)'),
        (KEEPS, "document.cookie"),
        (SETS_BY_NAME, "x[name] = y"),
        (SECRET_QUESTION, "Your mother's maiden name"),
    ],
)
def test_patterns_find_what_they_are_for(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.search(text)


def test_no_element_has_a_name_that_scripts_use() -> None:
    """A field named "action" would take the place of its form's own member of that name (DOM clobbering)."""
    used = {word for name in SCRIPTS for word in re.findall(r"\b(?:form|document|window)\.([a-zA-Z]+)", code(name))}
    assert used
    names = {attributes[key] for _, _, attributes in elements() for key in ("id", "name") if key in attributes}
    assert not names & used


def test_pages_load_nothing_from_elsewhere() -> None:
    for name, tag, attributes in elements():
        assert tag not in {"object", "embed", "applet", "iframe", "frame", "base", "portal"}, name
        for key in ("src", "href", "action", "formaction", "data-options", "poster", "srcset", "ping"):
            assert re.fullmatch(r"/(?!/).*|\?.*|data:,|#.*|\{\{.*", attributes.get(key, "/")), (name, tag, key)
    for text in (*SCRIPTS.values(), *STYLES.values()):
        assert not re.search(
            r"https?:|(?<!\w)url\(\s*[\"']?(?!data:)[a-z/]|@import|\bimport\b.*[\"']/?/", COMMENT.sub("", text)
        )


def test_password_fields_hide_and_take_what_is_pasted() -> None:
    fields = [
        attributes for _, tag, attributes in elements() if tag == "input" and "password" in attributes.get("name", "")
    ]
    assert fields
    for attributes in fields:
        assert attributes["type"] == "password"
        assert attributes["autocomplete"] in {"current-password", "new-password"}
        assert "maxlength" not in attributes
    made = [
        line
        for text in TEMPLATES.values()
        for line in text.splitlines()
        if re.search(r'call field\([^,]+, "password"', line)
    ]
    assert made
    for line in made:
        assert 'type="password"' in line
        assert re.search(r'autocomplete="(current|new)-password"', line)
        assert "maxlength" not in line
    assert not [name for name in SCRIPTS if re.search(r"paste|keydown|keypress|contextmenu", code(name))]


@pytest.mark.parametrize("name", TEMPLATES)
def test_nobody_is_asked_a_secret_question(name: str) -> None:
    assert not SECRET_QUESTION.search(TEMPLATES[name])
