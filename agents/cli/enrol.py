"""`jianwei enrol`: this machine's agent becomes known to a review console, by a one-time token."""

from __future__ import annotations

import hashlib
import os
import ssl
import sys
from typing import Final

import click
import msgspec

from agents import children, consolelink
from agents import config as configuration
from agents.cli.options import config_option, progress
from agents.consolecalls import CallError, Calls
from agents.consolelink import Link
from agents.errors import UserError
from agents.state import state_dir
from collectors import strictyaml
from exporters.findings.digest import Digest

TOKEN: Final = "JIANWEI_ENROL_TOKEN"  # noqa: S105 - its name
SECONDS: Final = 60.0  # for one request
MORE: Final = 60.0  # seconds an audit may take beside judging


@click.command(name="enrol")
@click.argument("url", metavar="URL")
@config_option
@click.option(
    "--ca-file",
    type=click.Path(),
    metavar="FILE",
    help="PEM of who signed the console's certificate.",
)
@click.option(
    "--ca-sha256",
    "fingerprint",
    metavar="HEX",
    help="Have that file from the console, if it has this SHA-256.",
)
def command(url: str, path: str | None, ca_file: str | None, fingerprint: str | None) -> None:
    """Enrol this machine at a review console, and send the first audit.

    The one-time token is read from JIANWEI_ENROL_TOKEN, else from standard input: an argument would be
    for everybody on this machine to see. The agent's own token is kept in the state folder, readable
    for its owner alone; the agent pushes each audit from its next one on.

    \b
    Examples:
      JIANWEI_ENROL_TOKEN=… jianwei enrol https://console.example
      jianwei enrol https://console.example --ca-file /etc/ssl/city-ca.pem < token
    Exit codes: 0 enrolled and the first audit is there, 1 enrolled only, 2 not enrolled.
    """
    config = configuration.load(path)
    url = url.rstrip("/")
    try:
        consolelink.check_url(url)
    except ValueError as error:
        raise UserError(str(error)) from error
    folder = state_dir(config)
    if not config.audit.packs:
        raise UserError("audit.packs is empty: there would be nothing to tell")
    token = _token()
    authority = _authority(url, ca_file, fingerprint)
    progress("auditing this machine …")
    digest, content = _audit(path, config.audit.deadline + MORE)
    host = digest.result.host
    progress("enrolling …")
    try:
        trust = consolelink.trusting(authority)
        own = Calls(Link(url, token), trust, SECONDS).enrol(host)
    except (CallError, ValueError) as error:
        raise UserError(f"{url}: not enrolled: {error}") from error
    link = Link(url, own, authority)
    try:
        consolelink.keep(folder, link)
    except OSError as error:
        raise UserError(
            f"{folder}: the token cannot be kept: {error.strerror}; enrol again with a new line"
        ) from error
    try:
        Calls(link, trust, SECONDS).push(content)
    except CallError as error:
        progress("")
        click.echo(f"Enrolled at {url}, but the first audit was not taken: {error}")
        raise SystemExit(1) from error
    progress("")
    click.echo(f"Enrolled at {url} as {host.name or host.id}; the first audit is there.")
    click.echo("A running agent pushes from its next audit on, or at once after a reload.")


def _token() -> str:
    token = os.environ.get(TOKEN, "")
    if not token:
        asked = sys.stdin.isatty()
        token = click.prompt("One-time token", hide_input=True) if asked else sys.stdin.readline()
    token = token.strip()
    if not token or not (token.isascii() and token.isprintable()) or " " in token:
        raise UserError(f"there is no one-time token: set {TOKEN}, or give it on standard input")
    return token


def _authority(url: str, ca_file: str | None, fingerprint: str | None) -> str:
    """PEM, empty for the system's."""
    if ca_file:
        pem = strictyaml.read(ca_file).decode("ascii", "replace")
        try:
            consolelink.trusting(pem)
        except ValueError as error:
            raise UserError(f"{ca_file}: no authorities in PEM") from error
        return pem
    if not fingerprint:
        return ""
    # whoever answers: nothing is believed but what has the fingerprint
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    try:
        pem = Calls(Link(url, ""), anybody, SECONDS).authority()
    except CallError as error:
        raise UserError(f"{url}: {error}") from error
    found = hashlib.sha256(pem.encode("ascii", "replace")).hexdigest()
    if found != fingerprint.replace(":", "").strip().lower():
        raise UserError(
            f"{url}: its authority has the SHA-256 {found}, which is another one: "
            "the line is not of this console, or somebody is between"
        )
    return pem


def _audit(path: str | None, seconds: float) -> tuple[Digest, bytes]:
    """As the agent audits on schedule, without its hits: these are the agent's to keep."""
    chosen = ("--config", os.path.abspath(path)) if path else ()
    ended = children.run(("audit", *chosen, "--fail-on", "none", "--told", "0"), seconds)
    if ended.problem or ended.status:
        raise UserError(f"the audit failed: {ended.problem or f'exit status {ended.status}'}")
    first, _, content = ended.output.partition(b"\n")
    return msgspec.json.decode(first, type=Digest), content
