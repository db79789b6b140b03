"""The options that the fleet commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click
import msgspec

from agents.cli.options import language_of, language_option
from agents.fleet.rollout import Pace, Share

F = TypeVar("F", bound=Callable[..., Any])


class ShareType(click.ParamType[Share]):
    """`20` or `10%`; `some`: 0 is none."""

    name = "N|P%"

    def __init__(self, some: bool = False) -> None:
        self._some = some

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Share:
        if isinstance(value, Share):
            return value
        try:
            share = Share.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if self._some and not share.number:
            self.fail(f"{value!r} is no host; write for example 20 or 10%", param, ctx)
        return share


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a command, those it does not have at their defaults."""

    inventory: str
    limit: tuple[str, ...] = ()
    parallel: int = 16
    batch: Share = Share(0)
    canary: Share = Share(0)
    max_failures: Share = Share(10, percent=True)
    state_dir: str = ""
    failed: bool = False
    resume: bool = False
    ask_password: bool = False
    ask_sudo_password: bool = False
    as_json: bool = False
    lang: str | None = None

    @property
    def language(self) -> str:
        return language_of(self.lang)

    def pace(self, count: int) -> Pace:
        canary = self.canary.of(count)
        return Pace(
            parallel=self.parallel,
            canary=canary,
            batch=self.batch.of(count),
            max_failures=self.max_failures.of(count - min(canary, count)),
        )


_LOOKING: Final = (
    click.option(
        "--inventory",
        required=True,
        type=click.Path(),
        metavar="FILE",
        help="The hosts: docs/fleet-inventory.md.",
    ),
    click.option(
        "--limit",
        multiple=True,
        metavar="NAME|GROUP|KEY=VALUE",
        help="Only these hosts; may be repeated.",
    ),
    click.option(
        "--parallel",
        type=click.IntRange(1, 256),
        default=16,
        show_default=True,
        help="Hosts at work at once.",
    ),
    click.option("--ask-password", is_flag=True, help="Ask once for a password of SSH."),
    click.option("--ask-sudo-password", is_flag=True, help="Ask once for a password of sudo."),
    click.option("--json", "as_json", is_flag=True, help="Print a JSON object a host."),
    language_option,
)
state_option = click.option(
    "--state-dir",
    type=click.Path(file_okay=False),
    default="",
    metavar="DIR",
    help="Of journal, logs and lock; else FILE.fleet beside the inventory.",
)
_CHANGING: Final = (
    click.option(
        "--canary", type=ShareType(), default="0", help="So many first; all must end well."
    ),
    click.option(
        "--batch",
        type=ShareType(some=True),
        default="100%",
        help="So many at a time; the next wait for them.",
    ),
    click.option(
        "--max-failures",
        type=ShareType(),
        default="10%",
        show_default=True,
        help="Begin no more hosts when more than these failed or refused; one that cannot be reached is "
        "none, but in the canary.",
    ),
    state_option,
    click.option(
        "--failed",
        is_flag=True,
        help="Only hosts that failed, refused or could not be reached last time.",
    ),
    click.option(
        "--resume",
        is_flag=True,
        help="Only hosts where this command, with this bundle and configuration, was not the last, or "
        "did not end well.",
    ),
)


def looking(function: F) -> F:
    """The options of a command that only looks."""
    for option in reversed(_LOOKING):
        function = option(function)
    return function


def changing(function: F) -> F:
    """The options of a command that changes hosts."""
    for option in reversed(_CHANGING):
        function = option(function)
    return looking(function)


bundle_option = click.option(
    "--bundle",
    "path",
    required=True,
    type=click.Path(),
    metavar="FILE",
    help="jianwei-agent-VERSION-linux-ARCH.tar.gz, as make bundle makes it.",
)


def _refuse(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise click.UsageError("it is about what is on the hosts; leave --bundle out", ctx)


# the line of a deploy is soon copied
no_bundle_option = click.option(
    "--bundle", hidden=True, expose_value=False, callback=_refuse, type=click.Path()
)
ready_option = click.option(
    "--ready-timeout",
    "seconds",
    type=click.FloatRange(1, 3600),
    default=60.0,
    show_default=True,
    help="Seconds for an agent to become ready; else it goes back.",
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def given(options: Mapping[str, Any]) -> Given:
    return Given(**options)
