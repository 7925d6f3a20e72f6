"""Whom another system's log means: by the ids of Patients, or by identifiers that their records hold."""

import re
from collections.abc import Mapping, Sequence

from carekeep.audit.foreign import Patients
from carekeep.fhir import QueryError, parse_query
from carekeep.records import Vault

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")


def patients_by(vault: Vault, system: str) -> Patients:
    """``system``: of identifiers, each meaning whoever alone has it. Without it what the log says is the id itself."""

    async def find(names: Sequence[str]) -> Mapping[str, str]:
        if not system:
            return {name: name for name in names if _ID.fullmatch(name)}
        found = {}
        for name in names:
            ids = await _having(vault, system, name)
            if len(ids) == 1:
                found[name] = ids[0]
        return found

    return find


async def _having(vault: Vault, system: str, value: str) -> list[str]:
    escaped = [re.sub(r"([\\,|$])", r"\\\1", text) for text in (system, value)]
    try:
        query = parse_query("Patient", [("identifier", "|".join(escaped))], lenient=False)
    except QueryError:
        return []
    return [stored.id async for stored in vault.search_all(query, None)]
