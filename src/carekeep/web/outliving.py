"""Work that goes on after its request (bulk jobs, subscriptions): for whom it still works, asked at every step."""

from carekeep.identity import Principal, Session, TokenRefused
from carekeep.web.services import Services


async def principal_now(services: Services, account_id: bytes, session: Session) -> Principal | None:
    """Who asked, as they are now. Raises Tampered.

    None when that is over: the account or its device has ended, or what the app was allowed (RFC 7009: what was issued
    under a grant ends with it).
    """
    account = await services.accounts.get(account_id)
    if account is None or not await services.apps.still_allow(session):
        return None
    try:
        return await services.tokens.principal(account, session)
    except TokenRefused:
        return None
