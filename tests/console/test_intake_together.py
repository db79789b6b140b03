"""Several consoles on one database take in audits of the same hosts at once, while somebody reviews."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from sqlalchemy import func, select

from exporters.console.database import Database
from exporters.console.intake.contention import retried
from exporters.console.intake.rewaive import rewaived
from exporters.console.intake.take import take_many
from exporters.console.intake.verify import wrong_tallies
from exporters.console.schema import hit, hit_event, host
from tests.console.intakelab import BEGUN, RULE, Lab, audit, hours
from tests.console.killedintake import numbered
from tests.consolelab import Console

ROUNDS = 24


def test_nothing_is_doubled_and_no_tally_is_wrong(each_console: Console) -> None:
    url = each_console.database.url.render_as_string(hide_password=False)
    consoles = [each_console.database, Database(url), Database(url)]
    services = each_console.services
    # every console gets every audit, in groups in an order of its own
    audits = [numbered(number) for number in range(ROUNDS)]
    groups = [audits[start : start + 4] for start in range(0, ROUNDS, 4)]

    def work(which: int) -> int:
        found = 0
        for group in groups:
            some = group[which:] + group[:which]
            taken = take_many(consoles[which], services, some, hours(ROUNDS))
            found += sum(one.outcome == "taken" for one in taken)
        return found

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(work, range(3))) <= ROUNDS
    with each_console.database.reading() as connection:
        assert wrong_tallies(connection) == []
        assert connection.execute(select(func.count()).select_from(host)).scalar_one() == 5
        newest = connection.execute(select(func.max(host.c.last_audit))).scalar_one()
        firsts = connection.execute(
            select(func.count())
            .select_from(hit_event)
            .where(hit_event.c.kind == "state", hit_event.c.before == "")
        ).scalar_one()
        assert firsts == connection.execute(select(func.count()).select_from(hit)).scalar_one()
    assert newest == hours(ROUNDS - 1)
    for database in consoles[1:]:
        database.close()


def test_a_waiver_comes_and_goes_while_audits_arrive(each_console: Console) -> None:
    lab = Lab(each_console)
    database, services = each_console.database, each_console.services
    many = {RULE: [(str(n), "e") for n in range(40)]}
    lab.take(audit(BEGUN, many))
    lab.waive()

    def rejudge() -> int:
        def once() -> int:
            with database.writing() as connection:
                return rewaived(database, connection, services, [RULE], hours(9))

        return retried(once)

    def arrive() -> None:
        for number in range(1, 6):
            some = dict(list(many[RULE])[number:])
            result = audit(hours(number), {RULE: list(some.items())})
            take_many(database, services, [(numbered(0)[0], result)], hours(number))

    with ThreadPoolExecutor(2) as pool:
        jobs: list[Future[Any]] = [pool.submit(arrive)]
        jobs += [pool.submit(rejudge) for _ in range(3)]
        for job in jobs:
            job.result()
    lab.check()
    assert list(lab.states().values()).count("waived") == 35
    assert list(lab.states().values()).count("fixed") == 5
