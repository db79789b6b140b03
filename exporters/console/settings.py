"""The console's configuration: one YAML file, every key with a default (docs/console.md).

Paths in it are relative to its folder; secrets are `!env NAME` or `!file PATH`.
"""

from __future__ import annotations

import ipaddress
import os
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from collectors import strictyaml
from collectors.strictyaml import Document, Duration, Secret
from exporters.console.notify.settings import (
    ItsmSettings,
    NotifySettings,
    joined,
    located,
    tls_located,
)
from exporters.console.people.directory.ldapsettings import LdapSettings
from exporters.console.people.directory.oidcsettings import OidcSettings
from exporters.console.people.policy import PeopleSettings
from exporters.console.pull import settings as pulling
from exporters.console.pull.settings import PullSettings

LISTEN: Final = ("127.0.0.1:9809",)


class ConsoleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`example`: everything it has is made up, and every page says so. `proxies` are addresses whose
    X-Forwarded-For is believed. `agent_waivers`: what is waived at an agent is waived here, without a second
    person. `public_url` is how people reach it, for links in what it sends."""

    agent_waivers: bool = False
    db: str = ""
    itsm: ItsmSettings | None = None  # tickets
    listen: tuple[str, ...] = LISTEN
    maintenance_file: str = ""  # written for `jianwei report`: the maintenance of lines
    web_config: str = ""  # TLS, as of the agent: exporter-toolkit's file
    metrics_token: Secret | None = None  # lets others than this machine read /metrics
    notify: NotifySettings = NotifySettings()
    public_url: str = ""
    zone: str = "Asia/Shanghai"
    example: bool = False
    upload_bytes: Annotated[int, msgspec.Meta(ge=1, le=1 << 28)] = 10 << 20
    threads: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8
    session: Duration = Duration(8 * 3600)
    idle: Duration = Duration(900)
    pull: PullSettings = PullSettings()
    ldap: LdapSettings | None = None
    oidc: OidcSettings | None = None
    people: PeopleSettings = PeopleSettings()
    proxies: tuple[str, ...] = ()
    packs: tuple[str, ...] = ()  # rule packs of the site's own, for their texts
    reports: str = ""  # the folder that `jianwei report` writes into

    def __post_init__(self) -> None:
        if self.oidc and not self.public_url.startswith(("https://", "http://")):
            raise ValueError("oidc needs public_url, which the provider sends people back to")
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, OSError) as error:
            raise ValueError(f"there is no time zone {self.zone!r}") from error
        for proxy in self.proxies:
            ipaddress.ip_network(proxy)  # ValueError says what is wrong with it


_PATHS: Final = ("maintenance_file", "web_config", "reports")


def load(path: str) -> ConsoleSettings:
    """Raises DocumentError."""
    document = Document(strictyaml.read(path), path)
    settings = document.convert(ConsoleSettings)
    folder = os.path.dirname(os.path.abspath(path))
    found: dict[str, Any] = {
        name: os.path.join(folder, os.path.expanduser(value))
        for name in _PATHS
        if (value := getattr(settings, name))
    }
    at = joined(folder)
    return msgspec.structs.replace(
        settings,
        itsm=settings.itsm and tls_located(settings.itsm, at),
        ldap=settings.ldap and settings.ldap.located(folder),
        notify=located(settings.notify, at),
        oidc=settings.oidc and settings.oidc.located(folder),
        pull=pulling.located(settings.pull, folder),
        **found,
    )
