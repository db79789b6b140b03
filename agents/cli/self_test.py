"""`jianwei self-test`: does this installation work on this machine."""

from __future__ import annotations

import importlib
import os
import socket
import sys
from collections.abc import Callable

import click

from agents import config as configuration
from agents.runner import Runner
from collectors.sources.local import LocalSource
from rules import celbinding

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@click.command(name="self-test")
@click.option("--config", "path", type=click.Path(), help="Configuration file.")
def command(path: str | None) -> None:
    """Check that this installation works on this machine.

    \b
    Examples:
      jianwei self-test
      jianwei self-test --config /etc/jianwei/jianwei.yaml
    Exit codes: 0 all right, 1 something does not work, 2 bad configuration.
    """
    config = configuration.load(path)
    checks: list[tuple[str, Callable[[], str]]] = [
        ("packages", _packages),
        ("dependencies", _dependencies),
        ("collectors", lambda: _collectors(config)),
        ("exposition", lambda: _exposition(config)),
        ("rule packs", lambda: _packs(config)),
        ("probes", _sockets),
    ]
    broken = False
    for name, check in checks:
        try:
            result = check()
        except Exception as error:  # noqa: BLE001 - whatever is wrong is what we are here to say
            broken = True
            click.echo(f"FAILED  {name}: {type(error).__name__}: {error}")
        else:
            click.echo(f"ok      {name}: {result}")
    if broken:
        raise SystemExit(1)


def _packages() -> str:
    """The four names are common words: another package of that name would shadow ours."""
    for name in ("agents", "collectors", "exporters", "rules"):
        where = os.path.dirname(
            os.path.dirname(os.path.abspath(importlib.import_module(name).__file__ or ""))
        )
        if where != HERE:
            raise ImportError(
                f"{name} is found in {where}, not in {HERE}; use an environment of its own"
            )
    return f"agents, collectors, exporters, rules are ours, in {HERE}"


def _dependencies() -> str:
    for name in (
        "bcrypt",
        "dns",
        "numpy",
        "paramiko",
        "prometheus_client",
        "psutil",
        "re2",
        "scapy",
        "yaml",
    ):
        importlib.import_module(name)
    celbinding.engine()
    return f"all import under Python {sys.version.split()[0]}"


def _collectors(config: configuration.Config) -> str:
    observations = Runner(LocalSource(config.root), config.collectors.deadline).observe(
        config.scraped()
    )
    bugs = [
        f"{o.collector} ({o.reason})"
        for o in observations
        if o.failure in ("bug", "parse", "timeout")
    ]
    if bugs:
        raise RuntimeError(f"these do not work: {', '.join(bugs)}")
    silent = [f"{o.collector} ({o.failure})" for o in observations if o.failure]
    return f"{len(observations) - len(silent)} work here; nothing to see for {', '.join(silent) or 'none'}"


def _exposition(config: configuration.Config) -> str:
    from prometheus_client.parser import text_string_to_metric_families

    from exporters.prometheus.encoder import Encoder
    from exporters.prometheus.families import with_scrape_series

    observations = Runner(LocalSource(config.root)).observe(config.scraped())
    page = Encoder().encode(with_scrape_series(observations)).decode()
    samples = sum(len(family.samples) for family in text_string_to_metric_families(page))
    if not samples:
        raise RuntimeError("the page is empty")
    return f"a page of {samples} samples, accepted by prometheus_client's parser"


def _packs(config: configuration.Config) -> str:
    from agents import scapolicies
    from rules.pack import load

    packs = [load(name) for name in scapolicies.check(config.audit.packs)]
    return ", ".join(f"{pack.pack} ({len(pack.rules)} rules)" for pack in packs)


def _sockets() -> str:
    for kind, words in ((socket.SOCK_RAW, "raw"), (socket.SOCK_DGRAM, "datagram")):
        try:
            socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP).close()
        except PermissionError:
            continue
        return f"ICMP by {words} sockets"
    return "no ICMP: give CAP_NET_RAW or set net.ipv4.ping_group_range; probes will say permission"
