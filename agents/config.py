"""The agent's configuration: one YAML file, frozen structs. Every key is in `default.yaml`.

Unknown keys, wrong types and bad values raise DocumentError with path, line and the nearest valid
key. Each room defines its own settings; this module composes them.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec

from agents import configpaths
from agents.consolelink import ConsoleSettings
from agents.logs import LogFormat, LogLevel
from collectors import catalogue, strictyaml
from collectors.cloud.ownersettings import AttributionSettings
from collectors.cloud.settings import CloudsSettings
from collectors.ipv6.sitesettings import SiteSettings
from collectors.ipv6.wire.advertisers import WatchSettings
from collectors.link import weburl
from collectors.link.devices import BandwidthSettings
from collectors.link.path import PathSettings
from collectors.link.settings import ProbeSettings
from collectors.link.stampreflector import ReflectorSettings
from collectors.model import Collector
from collectors.sources.ssh.settings import SshSettings
from collectors.strictyaml import Document, DocumentError, Duration
from exporters.findings.settings import ClientTls, FindingsSettings
from exporters.history.settings import HistorySettings
from exporters.prometheus.pushsettings import PushSettings
from exporters.prometheus.settings import WebSettings
from rules.settings import AuditSettings, built_in, is_path

DEFAULT_PATH = os.path.join(os.path.dirname(__file__), "default.yaml")


class CollectorSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which collectors are observed, how long each may take, and their own settings."""

    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    deadline: Duration = Duration(3)
    settings: catalogue.Settings = catalogue.Settings()


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    level: LogLevel = "info"
    format: LogFormat = "text"


class InventorySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Slow inventories that the packs of `audit` judge: how often they are scanned, and how many
    seconds a scan of them all may take."""

    enable: bool = True
    interval: Duration = Duration(12 * 3600)
    deadline: Duration = Duration(1800)

    def __post_init__(self) -> None:
        if self.interval < 60:
            raise ValueError(f"the interval of {self.interval:g} s must be 1m or more")


class ReportSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The profile (YAML) that the monthly report is made and delivered by, of itself; empty: it is not."""

    profile: str = ""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of it. `root` is where this host's `/` is seen (a container mounts it elsewhere);
    `state_dir` is what the agent keeps from one run to the next: agents/state.py."""

    web: WebSettings = WebSettings()
    log: LogSettings = LogSettings()
    root: str = "/"
    state_dir: str = ""
    collectors: CollectorSettings = CollectorSettings()
    probes: ProbeSettings = ProbeSettings()
    paths: PathSettings = PathSettings()
    bandwidth: BandwidthSettings = BandwidthSettings()
    stamp_reflector: ReflectorSettings = ReflectorSettings()
    ipv6_watch: WatchSettings = WatchSettings()
    audit: AuditSettings = AuditSettings()
    inventories: InventorySettings = InventorySettings()
    findings: FindingsSettings = FindingsSettings()
    console: ConsoleSettings = ConsoleSettings()
    push: PushSettings = PushSettings()
    history: HistorySettings = HistorySettings()
    report: ReportSettings = ReportSettings()
    ipv6_sites: SiteSettings = SiteSettings()
    clouds: CloudsSettings = CloudsSettings()
    attribution: AttributionSettings = AttributionSettings()
    ssh: SshSettings = SshSettings()

    def scraped(self) -> list[Collector]:
        """The collectors observed at each scrape."""
        return [
            self.collector(name)
            for name, entry in catalogue.COLLECTORS.items()
            if entry.metrics
            and (entry.on or name in self.collectors.enable)
            and name not in self.collectors.disable
        ]

    def collector(self, name: str) -> Collector:
        """One collector with its settings; KeyError if there is none of that name."""
        return catalogue.collector(self.collectors.settings, name)


def load(path: str | None) -> Config:
    """The configuration in a file, or the default one; raises DocumentError."""
    path = DEFAULT_PATH if path is None else path
    document = Document(strictyaml.read(path), path)
    config = document.convert(Config)
    for key in ("enable", "disable"):
        for number, name in enumerate(getattr(config.collectors, key)):
            entry = catalogue.COLLECTORS.get(name)
            if entry is None or not entry.metrics:
                valid = ", ".join(n for n, e in catalogue.COLLECTORS.items() if e.metrics)
                raise document.error(
                    ("collectors", key, number), f"no collector {name!r}; there are: {valid}"
                )
    if not os.path.isdir(config.root):
        raise document.error(("root",), f"{config.root!r} is no directory")
    for number, pack in enumerate(config.audit.packs):
        if not is_path(pack) and pack not in built_in():
            raise document.error(
                ("audit", "packs", number), f"no pack {pack!r}; there are: {', '.join(built_in())}"
            )
    sites: dict[str, int] = {}
    for number, site in enumerate(config.ipv6_sites.sites):
        where = ("ipv6_sites", "sites", number)
        try:
            url = str(weburl.site(site))
        except ValueError as error:
            raise document.error(where, str(error)) from error
        if url in sites:
            line = document.line(("ipv6_sites", "sites", sites[url]))
            raise document.error(where, f"{url} is on line {line} already")
        sites[url] = number
    config = configpaths.located(config, os.path.dirname(os.path.abspath(path)))
    if config.ipv6_sites.check.web.ca_file:
        _check_ca(document, config.ipv6_sites.check.web.ca_file)
    for name in ("ocsf_https", "cef"):
        if receiver := getattr(config.findings, name):
            _check_receiver(document, ("findings", name), receiver)
    _check_receiver(document, ("console",), config.console)
    for key in ("remote_write", "pushgateway"):
        for number, receiver in enumerate(getattr(config.push, key)):
            _check_receiver(document, ("push", key, number), receiver)
    if config.probes.modules_file is not None:
        _check_modules(document, config.probes.modules_file)
    return config


def _check_ca(document: Document, path: str) -> None:
    """Authorities that cannot be read would be told of every site, as its own fault."""
    try:
        trust_of(path)
    except ValueError as error:
        raise document.error(("ipv6_sites", "check", "web", "ca_file"), str(error)) from error


def _check_receiver(document: Document, where: strictyaml.Path, receiver: ClientTls) -> None:
    """Certificates that cannot be read would be told with each batch that is not sent."""
    if not (receiver.ca_file or receiver.cert_file):
        return
    from exporters.findings import delivery

    try:
        delivery.context(receiver)
    except ValueError as error:
        raise document.error(where, str(error)) from error


def trust_of(path: str) -> None:
    """Raises ValueError unless the file has certificates of authorities in PEM."""
    import ssl

    try:
        ssl.create_default_context(cafile=os.path.expanduser(path))
    except (OSError, ssl.SSLError) as error:
        raise ValueError(f"{path}: no authorities in PEM: {error.strerror or error}") from error


def _check_modules(document: Document, path: str) -> None:
    """A file that cannot be read is this document's mistake; what is in it is its own."""
    from collectors.link import modules  # every prober with it, which most commands do not need

    try:
        strictyaml.read(os.path.expanduser(path))
    except DocumentError as error:
        raise document.error(("probes", "modules_file"), str(error)) from error
    modules.load(path)


def with_overrides(
    web: WebSettings, listen: tuple[str, ...], config_file: str | None
) -> WebSettings:
    """The web settings with what the command line says instead."""
    return msgspec.structs.replace(
        web,
        listen=listen or web.listen,
        config_file=web.config_file if config_file is None else config_file,
    )


def plain(value: Any) -> Any:
    """A configuration as JSON-like data for people: durations in seconds, secrets as `***`."""

    def encode(part: Any) -> Any:
        if isinstance(part, catalogue.Deferred):
            return part.collector or {}
        # msgspec asks for subclasses of float, int and str too
        for kind in (float, int, str):
            if isinstance(part, kind):
                return kind(part)
        return "***"

    return msgspec.to_builtins(value, enc_hook=encode, str_keys=True)
