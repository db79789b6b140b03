"""What `jianwei check-config` says of an inventory. Secrets are not looked for: who checks may not have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import click
import msgspec

from agents import config as configuration
from agents.fleet import audited
from agents.fleet.inventory import Inventory
from agents.fleet.inventoryfile import read
from agents.fleet.model import FleetHost
from collectors.ipv6.estate import file as estates

SHOWN = 12  # names of one kind


def check(content: bytes, path: str, as_json: bool) -> None:
    """Raises InventoryErrors, and EstateErrors for hosts that are of the estate."""
    if not audited.is_fleet(content, path) and _is_of_the_estate(path):
        return _tell_estate(path, as_json)
    inventory = Inventory(read(path))
    inventory.check_files(inventory.hosts)
    if as_json:
        click.echo(msgspec.json.encode(configuration.plain(inventory.hosts)))
        return None
    click.echo(f"{path} is right.")
    for name, words in _summary(inventory.hosts):
        click.echo(f"  {name:12}{words}")
    return None


def _is_of_the_estate(path: str) -> bool:
    """Whether there are hosts that are asked in another way than over SSH."""
    return any(row.asked.host is None for row in estates.hosts(path))


def _tell_estate(path: str, as_json: bool) -> None:
    rows = estates.hosts(path)
    if as_json:
        click.echo(msgspec.json.encode(configuration.plain(rows)))
        return
    click.echo(f"{path} is right.")
    click.echo(f"  {'hosts':12}{len(rows)}")


def _summary(hosts: Sequence[FleetHost]) -> Iterator[tuple[str, str]]:
    jumps = sum(1 for host in hosts if host.ssh.jump not in ("", "none"))
    sudo = sum(1 for host in hosts if host.rise == "sudo")
    yield "hosts", f"{len(hosts)} ({jumps} over jump hosts, {sudo} with sudo)"
    reached = Counter(host.scheme for host in hosts if host.agent)
    by_scheme = "".join(f", {reached[scheme]} by {scheme}" for scheme in sorted(reached))
    yield "agents", f"{reached.total()} for Prometheus{by_scheme}"
    yield "groups", _counted(group for host in hosts for group in host.groups)
    for name, key in (("departments", "department"), ("systems", "system"), ("levels", "level")):
        yield name, _counted(str(getattr(host, key) or "none") for host in hosts)


def _counted(words: Iterable[str]) -> str:
    counts = Counter(words)
    shown = [f"{word} {count}" for word, count in counts.most_common(SHOWN)]
    return ", ".join([*shown, *["…"] * (len(counts) > SHOWN)]) or "none"
