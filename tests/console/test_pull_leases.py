"""Who pulls, and when each target is asked."""

from __future__ import annotations

import threading
from datetime import timedelta

from exporters.console import leases
from exporters.console.pull import schedule
from exporters.console.schema import lease
from tests.console.pullfleet import NOW, later, rows
from tests.consolelab import Console


def test_one_of_many_has_a_lease(each_console: Console) -> None:
    database, got = each_console.database, []
    ready = threading.Barrier(8)

    def grab(name: str) -> None:
        ready.wait()
        if leases.held(database, "x", name, 30, NOW):
            got.append(name)

    threads = [threading.Thread(target=grab, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert leases.held(database, "x", got[0], 30, later(20))
    assert not leases.held(database, "x", "other", 30, later(49))
    assert leases.held(database, "x", "other", 30, later(50))
    assert not leases.held(database, "x", got[0], 30, later(51))
    leases.released(database, "x", got[0])
    assert len(rows(each_console, lease)) == 1
    leases.released(database, "x", "other")
    assert leases.held(database, "x", got[0], 30, later(52))


def test_places_are_spread_over_the_interval() -> None:
    urls = [f"http://host-{n}:9808" for n in range(1000)]
    due = [(schedule.following(it, 300, NOW) - NOW).total_seconds() for it in urls]
    assert min(due) >= 150
    assert max(due) < 450
    for begin in range(150, 450, 30):
        assert 60 < sum(begin <= it < begin + 30 for it in due) < 140
    for url in urls[:20]:
        one = schedule.following(url, 300, NOW)
        assert schedule.following(url, 300, one) - one == timedelta(seconds=300)
    waits = [(schedule.again(n, 300, NOW) - NOW).total_seconds() for n in range(1, 40)]
    assert waits[0] < 40
    assert 900 <= waits[-1] <= 1500
