"""A console that takes audits in and is killed again and again: `python -m tests.console.killedintake URL KILLS SEED`.

Each child is a process of its own, forked from one that took in the first few and so has its statements compiled. It
says when it is connected and, after each commit, which audit it
acknowledges; it is killed with SIGKILL at a random moment. The next one begins with the first audit that was not
acknowledged. Prints the number of audits that were.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import time
from datetime import timedelta
from typing import Final

from exporters.console.database import Database
from exporters.console.intake.arrived import Arrived
from exporters.console.intake.take import take
from exporters.console.services import Services
from exporters.console.serving import services_of
from exporters.console.settings import ConsoleSettings
from rules.model import AuditResult
from tests.console.intakelab import audit, hours

HOSTS: Final = 5
WHERE: Final = ("市财政局", "市公安局")
LONGEST: Final = 0.2  # seconds that one audit is thought to take


def numbered(number: int) -> tuple[Arrived, AuditResult]:
    """The audits, one after the other: rules fail, pass and cannot be judged by chance, hosts move now and then."""
    chance = random.Random(number)  # noqa: S311 - no secret
    told = {
        f"x.{rule}": chance.choice(
            [
                *("pass", "unknown"),
                *(
                    [("", "e1")],
                    [("a", "e1"), ("b", "e1")],
                    [("b", "e1"), ("c", chance.choice("12"))],
                ),
            ]
        )
        for rule in range(12)
    }
    key = f"h{number % HOSTS}"
    labels = {"department": WHERE[number // 40 % 2]}
    return Arrived("push", labels), audit(hours(number), told, key=key)  # type: ignore[arg-type]


def taken(database: Database, services: Services, number: int) -> None:
    arrived, result = numbered(number)
    take(database, services, arrived, result, result.time + timedelta(minutes=1))


def _child(database: Database, services: Services, begin: int, told: int) -> None:
    with database.reading():
        os.write(told, b"ready\n")
    for number in itertools.count(begin):
        taken(database, services, number)
        os.write(told, b"%d\n" % number)


def _one(database: Database, services: Services, begin: int, chance: random.Random) -> int:
    """The number of the first audit that was not acknowledged by a child before it was killed."""
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _child(database, services, begin, told)
        finally:
            os._exit(1)
    os.close(told)
    said = b""
    lines = 1 + chance.randrange(3)  # it is connected, and has taken in none, one or two
    while said.count(b"\n") < lines:
        begun = time.monotonic()
        part = os.read(heard, 100)
        if not part:
            raise SystemExit("a child did not start")
        said += part
    time.sleep(chance.uniform(0, 1.5 * min(time.monotonic() - begun, LONGEST)))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while part := os.read(heard, 1 << 16):
        said += part
    os.close(heard)
    whole = [line for line in said.split(b"\n")[:-1] if line != b"ready"]
    return int(whole[-1]) + 1 if whole else begin


def main() -> None:
    url, kills, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    chance = random.Random(seed)  # noqa: S311 - no secret
    database, services = Database(url), services_of(ConsoleSettings())
    begin = 12
    for number in range(begin):
        taken(database, services, number)
    database.close()  # no child has a connection of its parent
    for _ in range(kills):
        begin = _one(database, services, begin, chance)
    print(begin)


if __name__ == "__main__":
    main()
