"""What the fleet commands share: the hosts they are about, a rollout to its end."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

import click
import msgspec

from agents.cli.fleet import tables, words
from agents.cli.fleet.board import Board
from agents.cli.fleet.options import Given
from agents.cli.options import progress
from agents.errors import UserError
from agents.fleet import bundle as bundles
from agents.fleet import bundlefiles, inventory, journal, overssh
from agents.fleet.bundle import Bundle
from agents.fleet.configuring import ConfigurationError, Configurations
from agents.fleet.hands import Reach
from agents.fleet.inventorysecrets import on_terminal
from agents.fleet.journal import Journal, Last
from agents.fleet.model import FleetHost, Outcome
from agents.fleet.plan import Wanted
from agents.fleet.rollout import Halt, roll
from agents.fleet.tasks import Deploying, Task
from agents.fleet.working import Worker
from collectors.strictyaml import DocumentError, Secret
from exporters.findings.text import neutral

INTERRUPTED: Final = "interrupted"
MAX_TOLD: Final = 20  # mistakes of configurations told at once
MAX_NAMED: Final = 5  # hosts of one mistake


def hosts_of(it: Given) -> tuple[FleetHost, ...]:
    """The hosts of the inventory that are meant; asks for passwords where it is told to."""
    hosts = inventory.load(it.inventory, it.limit)
    if not hosts:
        raise UserError(f"{it.inventory}: no host is meant; see --limit")
    replace = msgspec.structs.replace
    if it.ask_password:
        password = Secret(on_terminal("SSH password"))
        hosts = tuple(
            h if h.ssh.password else replace(h, ssh=replace(h.ssh, password=password))
            for h in hosts
        )
    if it.ask_sudo_password:
        password = Secret(on_terminal("sudo password"))
        hosts = tuple(
            replace(h, sudo_password=password) if h.rise == "sudo" and not h.sudo_password else h
            for h in hosts
        )
    return hosts


def configurations(it: Given, default: bytes) -> Configurations:
    return Configurations(os.path.dirname(os.path.abspath(it.inventory)), default)


def deploying(
    it: Given, hosts: Sequence[FleetHost], path: str, seconds: float, upgrade: bool = False
) -> tuple[Deploying, Bundle]:
    """The task; every host's configuration has been checked."""
    bundle = bundles.opened(path)
    files = bundlefiles.read(path)
    made = configurations(it, files.config)
    _check(hosts, made, it.language)
    wanted = Wanted(
        name=bundle.name,
        version=bundle.version,
        arch=bundle.arch,
        sha256=bundle.sha256,
        size=bundle.size,
        room=files.room,
        unit=files.unit,
    )
    deployed = journal.deployed(_state(it))
    return Deploying(bundle, wanted, made, seconds, upgrade, deployed), bundle


def _state(it: Given) -> Path:
    return Path(it.state_dir or f"{it.inventory}.fleet")


def _check(hosts: Sequence[FleetHost], made: Configurations, language: str) -> None:
    mistakes: dict[tuple[str, int | None, str], list[str]] = {}
    unseen: list[str] = []
    for number, host in enumerate(hosts):
        if number % 100 == 0:
            progress(words.CHECKING.of(language).format(number, len(hosts)))
        try:
            if made.of(host).served_here and host.agent:
                unseen.append(host.name)
        except ConfigurationError as error:
            same = error.path, error.line, error.mistake
            mistakes.setdefault(same, []).append(error.host)
    progress("")
    if mistakes:
        lines = [
            str(DocumentError(path, line, f"{_named(names)}: {mistake}"))
            for (path, line, mistake), names in mistakes.items()
        ]
        more = len(lines) - MAX_TOLD
        shown = [*lines[:MAX_TOLD], *([f"… and {more} more"] if more > 0 else [])]
        raise UserError("\n  ".join(("configurations are wrong; nothing was sent:", *shown)))
    if unseen:
        click.echo(words.SERVED_HERE.of(language).format(len(unseen), unseen[0]), err=True)


def _named(hosts: Sequence[str]) -> str:
    if len(hosts) == 1:
        return f"host {hosts[0]}"
    more = f" and {len(hosts) - MAX_NAMED} more" if len(hosts) > MAX_NAMED else ""
    return f"hosts {', '.join(hosts[:MAX_NAMED])}{more}"


def change(
    it: Given,
    hosts: Sequence[FleetHost],
    task: Task,
    command: str,
    bundle: Bundle | None = None,
    reach: Reach = overssh.reach,
) -> int:
    """Roll the task out and tell how it ended; the exit status."""
    state = _state(it)
    with contextlib.closing(Journal(state)) as book:
        sha256 = bundle.sha256 if bundle else ""

        def well(host: FleetHost) -> bool:
            files, last = task.files(host), book.last.get(host.name, Last())
            return last.did(command, sha256, files.sha256 if files else "")

        hosts = _chosen(hosts, it, book, well)
        if not hosts:
            click.echo(words.NONE_LEFT.of(it.language), err=True)
            return 0
        if book.torn:
            click.echo(words.TORN.of(it.language).format(book.torn), err=True)
        book.began(command, sha256, tables.named(hosts))
        if canary := tables.named(hosts[: it.pace(len(hosts)).canary]):
            click.echo(words.CANARY.of(it.language).format(neutral(_few(canary))), err=True)
        halt = Halt()
        with Board(len(hosts), it.language, bundle.size if bundle else 0) as board:
            worker = Worker(reach, task, board, halt, book)
            done = list(_rolled(it, hosts, worker, board, halt))
        for outcome in done:
            if outcome.state == "skipped" and outcome.problem.startswith("not begun"):
                book.ended(outcome, "")
    if not it.as_json:
        tables.outcomes(done, it.language)
        click.echo(words.LOGS.of(it.language).format(state / "logs"), err=True)
    return status_of(done, halt)


def _few(names: Sequence[str]) -> str:
    more = len(names) - MAX_TOLD
    return ", ".join(names[:MAX_TOLD]) + (f", … +{more}" if more > 0 else "")


def _rolled(
    it: Given, hosts: Sequence[FleetHost], worker: Worker, board: Board, halt: Halt
) -> Iterator[Outcome]:
    told = False

    def tick() -> None:
        nonlocal told
        if halt and not told:
            told = True
            text = words.STOPPING if halt.why == INTERRUPTED else words.STOPPED
            board.note(text.of(it.language).format(halt.why))
        board.tick()

    with interruptible(halt):
        for outcome in roll(hosts, worker, it.pace(len(hosts)), halt, tick):
            if it.as_json:
                tables.line(outcome)
            yield outcome


def _chosen(
    hosts: Sequence[FleetHost], it: Given, book: Journal, well: Callable[[FleetHost], bool]
) -> Sequence[FleetHost]:
    """Those that --failed and --resume leave; `well`: the same was done there and ended well."""
    last = book.last
    if it.failed:
        return [h for h in hosts if h.name in last and last[h.name].bad]
    if it.resume:
        return [h for h in hosts if not well(h)]
    return hosts


def status_of(done: Sequence[Outcome], halt: Halt) -> int:
    if halt.why == INTERRUPTED:
        return 130
    return int(any(outcome.state not in ("changed", "unchanged") for outcome in done))


@contextlib.contextmanager
def interruptible(halt: Halt) -> Iterator[None]:
    """The first SIGINT or SIGTERM lets no more hosts begin; the second ends this process at once."""

    def handle(number: int, frame: FrameType | None) -> None:
        if halt.why == INTERRUPTED:
            os.write(2, b"\njianwei: ended; the same command goes on from here\n")
            os._exit(130)
        halt.why = INTERRUPTED

    before = {it: signal.signal(it, handle) for it in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for it, handler in before.items():
            signal.signal(it, handler)


def confirm(yes: bool, text: str, language: str) -> None:
    """Ends the command unless somebody says yes."""
    if not yes:
        try:
            click.confirm(text, abort=True, err=True)
        except click.Abort as error:
            raise UserError(words.NOT_DONE.of(language)) from error
