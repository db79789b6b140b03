"""`kill -9` in the middle of intake: what was acknowledged is there, once, as if nobody had been killed.

JIANWEI_KILLS says how often (100 unless set; a fifth of that on PostgreSQL, where a process takes longer to connect).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import select

from exporters.console.database import Database
from exporters.console.intake.verify import wrong_tallies
from exporters.console.schema import department, hit, hit_event, host, rule, unjudged
from tests.console.killedintake import taken
from tests.consolelab import Console

KILLS = int(os.environ.get("JIANWEI_KILLS", "100"))


def test_nothing_acknowledged_is_lost_and_nothing_doubled(
    each_console: Console, tmp_path: Path
) -> None:
    url = each_console.database.url.render_as_string(hide_password=False)
    kills = KILLS if each_console.database.sqlite else max(KILLS // 5, 1)
    argv = [sys.executable, "-m", "tests.console.killedintake", url, str(kills), "1"]
    done = subprocess.run(argv, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr.decode()
    acknowledged = int(done.stdout)
    assert acknowledged > kills // 4
    # the last one may be on disk without its acknowledgement: it is sent again, as an agent would
    taken(each_console.database, each_console.services, acknowledged)
    undisturbed = Database(f"sqlite:///{tmp_path}/undisturbed.db")
    undisturbed.migrate()
    for number in range(acknowledged + 1):
        taken(undisturbed, each_console.services, number)
    assert _all(each_console.database) == _all(undisturbed)
    undisturbed.close()


def _all(database: Database) -> list[Any]:
    """Everything but the numbers of rows."""
    h, e = hit.c, hit_event.c
    whose = (host.c.key, rule.c.name, h.instance)
    joined = hit.join(host, host.c.id == h.host_id).join(rule)
    with database.reading() as connection:
        assert wrong_tallies(connection) == []
        hits = connection.execute(
            select(*whose, h.fingerprint, h.severity, h.state, h.first_seen, h.last_seen, h.changed)
            .add_columns(h.unseen_since, h.packs, h.actual, h.evidence, h.version)
            .select_from(joined)
        )
        events = connection.execute(
            select(*whose, e.time, e.kind, e.before, e.after, e.text)
            .select_from(joined.join(hit_event))
            .order_by(e.id)
        )
        hosts = connection.execute(
            select(host.c.key, host.c.last_audit, host.c.hits, department.c.name).join(department)
        )
        unknown = connection.execute(
            select(host.c.key, rule.c.name, unjudged.c.reason).select_from(
                unjudged.join(host).join(rule)
            )
        )
        return [
            sorted(hits.all(), key=repr),
            sorted(events.all(), key=lambda row: (row[:4], row.kind)),
            sorted(hosts.all()),
            sorted(unknown.all()),
        ]
