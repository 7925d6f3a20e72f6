"""A second worker on the clinic's database: ``… <home> <database URL> <token>``.

At a sign, 25 clients at once create each of ten observations unless it is there. Prints the statuses.
"""

import asyncio
import sys
from pathlib import Path

from tests.web.clinic import Clinic, observation, open_clinic

CLIENTS, THINGS = 25, 10


async def create(clinic: Clinic, number: int) -> int:
    made = observation("x", "ada", 60 + number, "2026-05-01")
    body = made | {"identifier": [{"system": "urn:lab", "value": str(number)}]}
    headers = {"if-none-exist": f"identifier=urn:lab|{number}"}
    return (await clinic.ask("POST", "Observation", body, headers=headers)).status


async def main(home: str, url: str, token: str) -> None:
    async with open_clinic(Path(home), url) as clinic:
        clinic.tokens["engine"] = token
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        for number in range(THINGS):
            statuses = await asyncio.gather(*(create(clinic, number) for _ in range(CLIENTS)))
            sys.stdout.write(" ".join(map(str, statuses)) + "\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
