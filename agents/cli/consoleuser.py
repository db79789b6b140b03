"""`jianwei console user`: the way in for an administrator who is locked out; and `verify-log`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

import click
from sqlalchemy.exc import SQLAlchemyError

from agents.errors import UserError
from exporters.console import auditlog
from exporters.console.auditlog import Verified
from exporters.console.database import Database, DatabaseError
from exporters.console.people import first, policy, users
from exporters.console.people.door import Door
from exporters.console.settings import ConsoleSettings
from exporters.console.web.asker import ROLES, Role
from exporters.console.web.refusals import Refused
from exporters.console.words import say

T = TypeVar("T")


@click.group(name="user")
def user() -> None:
    """Add a user, or let one in again, without the web pages.

    \b
    Examples:
      jianwei console user add zhang --role administrator
      jianwei console user reset-password zhang < password.txt
      jianwei console user unlock zhang
    """


@user.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="administrator", show_default=True)
@click.pass_obj
def add(settings: ConsoleSettings, name: str, role: Role) -> None:
    """Add a local user. The password comes from a prompt or from the first line of standard input, and is changed at
    the first login."""
    if not users.is_name(name):
        raise UserError(f"{name}: {say('users.name_wrong', 'en')}")
    database = _database(settings)
    password = _password()
    door = Door(settings.people)
    _refusing(lambda: policy.check(password, name, settings.people.password))
    if not _done(lambda: first.add(database, name, role, door.hashed(password), _now())):
        raise UserError(f"{name}: there is a user of this name")
    click.echo(f"{name} was added as {role}")


@user.command("reset-password")
@click.argument("name")
@click.option("--without-totp", is_flag=True, help="Turn the second factor off, too.")
@click.pass_obj
def reset_password(settings: ConsoleSettings, name: str, without_totp: bool) -> None:
    """Give a local user another password, to be changed at the next login; unlocks, and ends their sessions. The
    password comes from a prompt or from the first line of standard input."""
    database = _database(settings)
    password = _password()
    door = Door(settings.people)

    def reset() -> bool:
        rules = settings.people.password
        return first.reset(database, door, rules, name, password, _now(), without_totp=without_totp)

    if not _done(lambda: _refusing(reset)):
        raise UserError(f"{name}: there is no local user of this name")
    click.echo(f"{name} has another password")


@user.command()
@click.argument("name")
@click.pass_obj
def unlock(settings: ConsoleSettings, name: str) -> None:
    """Let a user who was locked after failures try again."""
    database = _database(settings)
    if not _done(lambda: first.unlock(database, name, _now())):
        raise UserError(f"{name}: there is no user of this name")
    click.echo(f"{name} may log in again")


@click.command("verify-log")
@click.option(
    "--after",
    metavar="NUMBER:HASH",
    help="A row that was noted before: it must still be there, so that a cut end is found.",
)
@click.pass_obj
def verify_log(settings: ConsoleSettings, after: str | None) -> None:
    """Check the chain of the audit log: that no row was changed, removed, inserted or moved.

    \b
    Examples:
      jianwei console --db postgresql://jianwei@db/jianwei verify-log
      jianwei console verify-log --after 1042:9f86d081…
    Note the last number and hash that it prints elsewhere, and give them the next time.
    Exit codes: 0 whole, 1 broken (says at which row), 2 the database cannot be read.
    """
    noted = _noted(after) if after else None
    database = _database(settings)
    try:
        with database.reading() as connection:
            found = auditlog.verify(connection, noted)
    except SQLAlchemyError as error:
        raise UserError(f"{database.shown}: {_line(error)}") from error
    finally:
        database.close()
    _tell(found, ZoneInfo(settings.zone))
    if found.problem:
        sys.exit(1)


def _tell(found: Verified, zone: ZoneInfo) -> None:
    if found.rows and found.since and found.until:
        since, until = (
            time.astimezone(zone).isoformat(timespec="seconds")
            for time in (found.since, found.until)
        )
        click.echo(f"{found.rows} rows from {since} to {until}")
        click.echo(f"last {found.number}:{found.hash}")
    else:
        click.echo("0 rows")
    if found.problem:
        click.echo(f"broken at row {found.first_bad}: {found.problem}")
    else:
        click.echo("whole")


def _noted(text: str) -> tuple[int, str]:
    number, _, mark = text.partition(":")
    if not (number.isascii() and number.isdigit() and len(number) < 19 and len(mark) == 64):
        raise UserError("--after: write NUMBER:HASH as verify-log prints it after `last`")
    return int(number), mark.lower()


def _database(settings: ConsoleSettings) -> Database:
    """One that is there: none is made."""
    try:
        return Database(settings.db, make=False)
    except DatabaseError as error:
        raise UserError(str(error)) from error


def _password() -> str:
    """Never an argument: others on the machine could read it."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _refusing(call: Callable[[], T]) -> T:
    try:
        return call()
    except Refused as refused:
        raise UserError(say(refused.key, "en", **refused.values)) from refused


def _done(call: Callable[[], bool]) -> bool:
    try:
        return call()
    except SQLAlchemyError as error:
        raise UserError(f"the database: {_line(error)}") from error


def _line(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split())[:300]


def _now() -> datetime:
    return datetime.now(UTC)
