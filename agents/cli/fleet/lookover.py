"""Hosts that are only looked at: `fleet plan` and `fleet status`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agents.cli.fleet import session, tables
from agents.cli.fleet.board import Board
from agents.cli.fleet.options import Given
from agents.cli.fleet.tables import Look
from agents.fleet import overssh
from agents.fleet.model import FleetHost, Seen
from agents.fleet.plan import Plan
from agents.fleet.rollout import Halt, Pace, roll
from agents.fleet.tasks import Task
from agents.fleet.working import Worker


def over(
    it: Given,
    hosts: Sequence[FleetHost],
    task: Task,
    take: Callable[[Look], None],
    dry: bool = False,
    tell: bool = True,
) -> int:
    """Each look as it comes; the exit status. `tell`: with --json, print each at once."""
    seen: dict[str, tuple[Seen, Plan]] = {}

    def looked(host: FleetHost, what: Seen, plan: Plan) -> None:
        seen[host.name] = what, plan

    halt = Halt()
    done = []
    board = Board(len(hosts), it.language, quiet=it.as_json, looking=True)
    with board, session.interruptible(halt):
        worker = Worker(overssh.reach, task, board, halt, looked=looked, dry=dry)
        for outcome in roll(hosts, worker, Pace(parallel=it.parallel), halt, board.tick):
            what, plan = seen.pop(outcome.host, (None, None))
            look = Look(host=outcome.host, seen=what, plan=plan, problem=outcome.problem)
            take(look)
            if it.as_json and tell:
                tables.line(look)
            done.append(outcome)
    return session.status_of(done, halt)
