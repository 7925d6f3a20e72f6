"""Work that outlives its request goes on only while its asker may: tried with what an app was allowed."""

from dataclasses import replace

import orjson

from carekeep.identity import Principal, Session
from carekeep.identity.apps.client import ClientState
from carekeep.web.outliving import principal_now
from tests.web.clinic import Clinic
from tests.web.oauth.desk import Desk


async def remembered(clinic: Clinic, token: str) -> Session:
    """The session of a token, as a job or a subscription keeps it and reads it again."""
    principal = await clinic.system.services.tokens.authenticate(token)
    kept = principal.as_session()
    return Session.read(kept.session, 0, orjson.loads(orjson.dumps(kept.kept())))


async def now(clinic: Clinic, session: Session) -> Principal | None:
    return await principal_now(clinic.system.services, clinic.accounts["ada"].id, session)


async def test_it_is_narrowed_like_the_request(clinic: Clinic) -> None:
    desk = Desk(clinic)
    session = await remembered(clinic, (await desk.tokens(await desk.client()))["access_token"])
    principal = await now(clinic, session)
    assert principal is not None
    assert principal.delegation == session.delegation is not None


async def test_it_ends_with_what_the_app_was_allowed(clinic: Clinic) -> None:
    desk, services = Desk(clinic), clinic.system.services
    session = await remembered(clinic, (await desk.tokens(await desk.client()))["access_token"])
    [grant] = await services.apps.grants.of_account(clinic.accounts["ada"].id)
    await clinic.record("stopped", services.apps.grants.prepare_end([grant]))
    assert await now(clinic, session) is None


async def test_it_ends_with_the_app(clinic: Clinic) -> None:
    desk, services = Desk(clinic), clinic.system.services
    client = await desk.client()
    session = await remembered(clinic, (await desk.tokens(client))["access_token"])
    known = await services.apps.clients.get(client.id)
    assert known is not None
    disabled = replace(known, state=ClientState.DISABLED)
    await clinic.record("disabled", services.apps.clients.prepare_change(disabled))
    assert await now(clinic, session) is None


async def test_what_does_not_say_where_it_came_from_is_over(clinic: Clinic) -> None:
    desk = Desk(clinic)
    session = await remembered(clinic, (await desk.tokens(await desk.client()))["access_token"])
    assert await now(clinic, replace(session, parent=None)) is None
