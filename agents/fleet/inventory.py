"""The inventory: which hosts there are, with everything of their groups and the defaults in them.

What is nearer to the host counts: defaults < groups, in the order in which the host names them < the host. `labels`
and `variables` are merged name by name. docs/fleet-inventory.md describes the files; inventoryfile reads them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from agents.fleet.inventoryfile import InventoryErrors, Layer, Written, WrittenHost, read
from agents.fleet.inventorylimit import limited
from agents.fleet.inventoryranges import Ranged, RangeError
from agents.fleet.inventoryrow import (
    NO_AGENT,
    SECRETS,
    address_problem,
    agent_problem,
    hops,
    listed,
    name_problem,
    text_of,
)
from agents.fleet.inventorysecrets import Ask, Secrets
from agents.fleet.model import PORT, FleetHost
from collectors.rowsfile import nearest
from collectors.sources.ssh.settings import SshSettings
from collectors.sources.ssh.target import Address, parse_address
from collectors.strictyaml import DocumentError

MAX_HOSTS: Final = 20_000
_PLAIN: Final = SshSettings()
_SSH: Final = (
    "user", "port", "known_hosts", "config_file", "key_file", "use_agent", "connect_timeout", "deadline",
)  # fmt: skip
_LABELS: Final = ("department", "system", "region", "level", "owner")
_OF_SSH: Final = ("key_passphrase", "password")
_FILES: Final = {"key_file": "no such key file", "config": "no such configuration file"}


def load(
    path: str,
    limit: Collection[str] = (),
    asking: Ask | None = None,
    ssh: SshSettings = _PLAIN,
) -> tuple[FleetHost, ...]:
    """The hosts of an inventory that `limit` means, with their secrets; `!prompt` is asked for once, by
    `asking` or on the terminal. `ssh` is what counts where the inventory says nothing.

    Raises InventoryErrors with all mistakes, DocumentError where it cannot be read, UserError for `limit` and
    where nobody answers.
    """
    inventory = Inventory(read(path), ssh)
    hosts = limited(inventory.hosts, limit)
    inventory.check_files(hosts)
    return inventory.with_secrets(hosts, Secrets(asking))


def outline(path: str, limit: Collection[str] = ()) -> tuple[FleetHost, ...]:
    """As `load`, without secrets and without looking for the files that hosts name: for who does not connect."""
    return limited(Inventory(read(path)).hosts, limit)


class Inventory:
    """All hosts, without secrets; `files` are those it was read from. Raises InventoryErrors."""

    def __init__(self, written: Written, ssh: SshSettings = _PLAIN) -> None:
        self.files = written.files
        self._written, self._base = written, ssh
        self._mistakes = written.mistakes
        self._bases: dict[tuple[str, ...], dict[str, Any]] = {}
        self._settings: dict[tuple[Any, ...], SshSettings] = {}
        self._layers: dict[str, Layer] = {}
        self._seen: dict[str, dict[str, Layer]] = {"name": {}, "host": {}, "agent": {}}
        self._told: set[str] = set()
        hosts: list[FleetHost] = []
        for one in written.hosts:
            for name, address, agent in self._expanded(one, MAX_HOSTS - len(hosts)):
                hosts.append(self._host(one, name, address, agent))
        if self._mistakes:
            raise InventoryErrors(written.path, self._mistakes)
        self.hosts = tuple(hosts)

    def check_files(self, hosts: Sequence[FleetHost]) -> None:
        """Raises InventoryErrors where a file that hosts name is not there."""
        there: dict[str, bool] = {}
        mistakes: dict[str, DocumentError] = {}
        for host in hosts:
            for key, problem in _FILES.items():
                said = self._said(host, key)
                if said and not there.setdefault(said[0], os.path.isfile(said[0])):
                    error = said[1].tell(key, f"{problem}: {said[0]}")
                    mistakes[str(error)] = error
        self._raise(mistakes)

    def with_secrets(self, hosts: Sequence[FleetHost], secrets: Secrets) -> tuple[FleetHost, ...]:
        """The hosts with what is secret. Raises as `load`."""
        mistakes: dict[str, DocumentError] = {}
        made: dict[tuple[int, ...], SshSettings] = {}
        found = []
        for host in hosts:
            given: dict[str, Any] = {}
            for key in SECRETS if host.rise == "sudo" else _OF_SSH:
                if said := self._said(host, key):
                    try:
                        given[key] = secrets.reveal(said[0], key)
                    except ValueError as problem:
                        error = said[1].tell(key, str(problem))
                        mistakes[str(error)] = error
            sudo = given.pop("sudo_password", None)
            mark = (id(host.ssh), *(id(given.get(key)) for key in _OF_SSH))
            if mark not in made:
                made[mark] = msgspec.structs.replace(host.ssh, **given)
            found.append(msgspec.structs.replace(host, ssh=made[mark], sudo_password=sudo))
        self._raise(mistakes)
        return tuple(found)

    def _said(self, host: FleetHost, key: str) -> tuple[Any, Layer] | None:
        """What counts for a host, and where it is written."""
        layers = (self._layers[host.name], *self._of(host.groups), self._written.defaults)
        found = next((it for it in layers if key in it.values), None)
        return (found.values[key], found) if found and found.values[key] else None

    def _raise(self, mistakes: Mapping[str, DocumentError]) -> None:
        if mistakes:
            raise InventoryErrors(self._written.path, list(mistakes.values()))

    def _of(self, groups: Sequence[str]) -> list[Layer]:
        """What groups say, the one that counts most first."""
        known = self._written.groups or {}
        return [known[name] for name in reversed(groups) if name in known]

    def _expanded(self, one: WrittenHost, room: int) -> Iterator[tuple[str, str, str | None]]:
        """Name, address and agent of each host of a row."""
        row, layer, wrong = one
        parts: dict[str, Ranged] = {}
        agent = layer.values.get("agent")
        for key, text in (("name", row.name), ("host", row.host), ("agent", agent or "")):
            try:
                parts[key] = Ranged(text)
            except RangeError as error:
                self._wrong(layer, key, str(error))
                return
        count = parts["name"].count
        if count > room:
            self._wrong(layer, "name", f"an inventory has {MAX_HOSTS} hosts at most; make it two")
            return
        uneven = parts["host"].count != count
        if uneven and wrong.isdisjoint(("name", "host")):
            told = f"has {parts['host'].count} addresses, and name has {count} names"
            self._wrong(layer, "host", f"{told}: give both ranges of one length")
            return
        agents = parts["agent"]
        if agents and agents.count != count:
            self._wrong(layer, "agent", f"has {agents.count} addresses, and name has {count} names")
            return
        if uneven:  # one host of it is enough to find what else is wrong
            yield parts["name"].first(), parts["host"].first(), agents.first() if agents else agent
            return
        each = agents.all() if agents else [agent] * count
        yield from zip(parts["name"].all(), parts["host"].all(), each, strict=True)

    def _host(self, one: WrittenHost, name: str, text: str, agent: str | None) -> FleetHost:
        row, layer, wrong = one
        groups = listed(row.groups)
        base = self._base_of(groups, layer)
        values = {**base, **layer.values}
        for key in ("labels", "variables"):
            values[key] = {**base.get(key, {}), **layer.values.get(key, {})}
        address = Address("") if "host" in wrong else self._address(layer, text)
        if "name" not in wrong:
            if problem := name_problem(name):
                self._wrong(layer, "name", problem)
            self._once(layer, "name", name, f"the name {name!r:.160}", "rename one")
        self._layers[name] = layer
        sudo = values.get("sudo", "sudo_password" in values)
        ssh = self._ssh(values, sudo or ("sudo" not in values and self._base.sudo))
        reached = ""
        where = f"{address.host.lower()} {address.port or ssh.port or 22} {ssh.jump.lower()}"
        if address.host and self._once(
            layer, "host", where, f"{text!r:.160}", "leave one of the two out"
        ):
            reached = self._agent(layer, values.get("agent") if agent is None else agent, address)
        return FleetHost(
            name=name,
            address=text if text.startswith("ssh://") else f"ssh://{text}",
            ssh=ssh,
            rise="sudo" if sudo else "none",
            groups=groups,
            agent=reached,
            scheme=values.get("scheme", "http"),
            labels={key: text_of(value) for key, value in sorted(values["labels"].items())},
            variables={key: text_of(value) for key, value in values["variables"].items()},
            config=values.get("config", ""),
            **{key: values[key] for key in _LABELS if key in values},
        )

    def _base_of(self, groups: tuple[str, ...], layer: Layer) -> Mapping[str, Any]:
        """Defaults and groups, merged once for all hosts of the same groups."""
        known = self._written.groups
        if known is not None:
            for number, name in enumerate(groups):
                if name not in known and not name_problem(name):
                    near = nearest(name, known) if known else "there is none"
                    problem = f"there is no group {name!r}; {near}"
                    self._wrong(layer, f"groups[{number}]", problem)
        if groups not in self._bases:
            base = dict(self._written.defaults.values)
            for group in reversed(self._of(groups)):
                for key, value in group.values.items():
                    merged = key in ("labels", "variables")
                    base[key] = {**base.get(key, {}), **value} if merged else value
            self._bases[groups] = base
        return self._bases[groups]

    def _address(self, layer: Layer, text: str) -> Address:
        if problem := address_problem(text):
            self._wrong(layer, "host", problem)
            return Address("")
        return parse_address(text)

    def _ssh(self, values: Mapping[str, Any], sudo: bool) -> SshSettings:
        jump = values.get("jump")
        key = (sudo, jump, *(values.get(name) for name in _SSH))
        if key not in self._settings:
            said = {name: values[name] for name in _SSH if name in values}
            if jump is not None:
                said["jump"] = ",".join(hops(jump)) or "none"
            self._settings[key] = msgspec.structs.replace(self._base, sudo=sudo, **said)
        return self._settings[key]

    def _agent(self, layer: Layer, text: str | None, address: Address) -> str:
        """host:port of the agent; empty where nobody reaches it."""
        text = text or f":{PORT}"
        if text == NO_AGENT:
            return ""
        if problem := agent_problem(text):
            self._wrong(layer, "agent", problem)
            return ""
        if text.startswith(":"):
            host = f"[{address.host}]" if ":" in address.host else address.host
            text = f"{host}{text}"
        remedy = "write agent: host:port as it is reached from here, or agent: none"
        self._once(layer, "agent", text.lower(), f"the agent {text!r:.160}", remedy)
        return text

    def _once(self, layer: Layer, key: str, same: str, what: str, remedy: str) -> bool:
        """Names, addresses and agents are of one host each."""
        if same not in self._seen[key]:
            self._seen[key][same] = layer
            return True
        first, here = self._seen[key][same].tell(key, ""), layer.tell(key, "")
        where = f"line {first.line}" + (f" of {first.path}" * (first.path != here.path))
        self._wrong(layer, key, f"{what} is on {where} already; {remedy}")
        return False

    def _wrong(self, layer: Layer, key: str, problem: str) -> None:
        """A mistake; once, where all hosts of a range have it."""
        mistake = layer.tell(key, problem)
        if str(mistake) not in self._told:
            self._told.add(str(mistake))
            self._mistakes.append(mistake)
