"""Where ``next`` may lead: to a path of this host, whatever it looks like (ASVS 3.7.2)."""

from tests.web.clinic import Clinic, on_sqlite
from tests.web.sign_in.pages import PASSWORD, Screenless, code, new_person


@on_sqlite
async def test_every_way_to_sign_in_asks_where_it_leads(clinic: Clinic) -> None:
    """What is a path of this host is tested with the other defences of pages; here, that it is asked at all."""
    person = await new_person(clinic)
    for place in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        shown = await Screenless(clinic).get(f"/sign-in?next={place}")
        assert '<input type="hidden" name="next" value="/account">' in shown.text
        form = {"login": person.login, "password": PASSWORD, "code": code(clinic, person), "next": place}
        browser = Screenless(clinic)
        gone = await browser.post("/sign-in", form)
        assert 'content="0; url=/account"' in gone.text
        assert "evil.example" not in gone.text
        again = await browser.get(f"/sign-in?next={place}")
        assert again.header(b"location") == b"/account"
