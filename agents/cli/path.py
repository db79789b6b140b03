"""`jianwei path`: which way do packets go, over IPv4 and IPv6, and how large may they be."""

from __future__ import annotations

import socket
from typing import Any

import click
import msgspec

from agents.cli.options import FiniteRange, language_of, language_option
from agents.cli.pathtable import table
from agents.errors import UserError
from collectors.link.path import Method, Path
from collectors.link.pathjob import TraceOptions
from collectors.link.resolve import Resolver
from collectors.link.settings import Families, ProbeTarget
from collectors.link.targets import Targets
from collectors.model import ProbeResult, Target

_MACHINE = "/etc/machine-id"


@click.command(name="path")
@click.argument("targets", nargs=-1, metavar="TARGET...")
@click.option(
    "--method", type=click.Choice(["icmp", "udp", "tcp"]), default="icmp", show_default=True
)
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Of UDP (else 33434) or TCP (else 443)."
)
@click.option(
    "--family", type=click.Choice(["both", "ipv4", "ipv6"]), default="both", show_default=True
)
@click.option("--max-hops", type=click.IntRange(1, 255), default=30, show_default=True)
@click.option(
    "--probes", type=click.IntRange(1, 10), default=2, show_default=True, help="To each hop."
)
@click.option(
    "--flows",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="More than one shows what a load balancer chooses between.",
)
@click.option(
    "--timeout",
    type=FiniteRange(0.01, 60),
    default=1.0,
    show_default=True,
    help="Seconds until a hop is silent.",
)
@click.option("--mtu/--no-mtu", default=True, show_default=True, help="Find the path MTU as well.")
@click.option("--names", is_flag=True, help="Look up the names of hops.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a target and family.")
@language_option
def command(
    targets: tuple[str, ...],
    method: Method,
    port: int | None,
    family: Families,
    max_hops: int,
    probes: int,
    flows: int,
    timeout: float,
    mtu: bool,
    names: bool,
    as_json: bool,
    lang: str | None,
) -> None:
    """Trace the way to TARGETs (names or addresses), one family after the other.

    \b
    Examples:
      jianwei path portal.example.gov.cn
      jianwei path 192.0.2.1 --method tcp --port 443 --names
      jianwei path 2001:db8::1 --method udp --flows 8 --no-mtu --json
    Exit codes:
      0  every target was reached, in at least one of the families asked
      1  some target was reached in none of them
      2  bad input
    Needs CAP_NET_RAW. A hop that does not answer is *.
    """
    if port and method == "icmp":
        raise UserError("--port: ICMP has no ports; use --method udp or tcp")
    specs = _specs(targets, family)
    options = TraceOptions(
        method=method,
        port=port or 0,
        max_hops=max_hops,
        probes=probes,
        flows=flows,
        timeout=timeout,
        mtu=mtu,
        seed=_seed(),
    )
    paths = _trace(specs, options)
    if names:
        from collectors.link.hopnames import named

        paths = named(paths)
    if as_json:
        for path in paths:
            click.echo(msgspec.json.encode(_object(path)))
    else:
        language = language_of(lang)
        click.echo("\n\n".join(table(path, language, names, mtu) for path in paths))
    reached = {path.target for path in paths if path.reached}
    if any(spec.name not in reached for spec in specs):
        raise SystemExit(1)


def _specs(targets: tuple[str, ...], family: Families) -> list[ProbeTarget]:
    """Each target once; raises UserError with every mistake."""
    specs, mistakes = [], []
    for target in dict.fromkeys(targets):
        try:
            specs.append(ProbeTarget(target, target, family))
        except ValueError as error:
            mistakes.append(f"TARGET: {error}")
    if mistakes:
        raise UserError("\n".join(mistakes))
    if not specs:
        raise UserError("no targets; name some")
    return specs


def _trace(specs: list[ProbeTarget], options: TraceOptions) -> list[Path]:
    from collectors.link.traceroute import Tracer

    located = Targets(specs, Resolver()).locate()
    traced = iter(Tracer(options).trace([one for one in located if isinstance(one, Target)]))
    return [
        _unresolved(one, options.method) if isinstance(one, ProbeResult) else next(traced)
        for one in located
    ]


def _unresolved(result: ProbeResult, method: Method) -> Path:
    return Path(
        *(result.target, result.address, result.family, method),
        reason=result.reason,
        detail=result.detail,
    )


def _object(path: Path) -> dict[str, Any]:
    """Times in seconds, null where nobody answered."""
    return {**msgspec.structs.asdict(path), "signature": path.signature}


def _seed() -> bytes:
    """What makes this machine's flows its own, and the same ones each time."""
    try:
        with open(_MACHINE, "rb") as file:
            known = file.read(64)
    except OSError:
        known = b""
    return b"jianwei " + (known.strip() or socket.gethostname().encode())[:48]
