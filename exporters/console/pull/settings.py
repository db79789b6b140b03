"""How agents are pulled: which, how often, by what means. The key `pull` of the console's configuration."""

from __future__ import annotations

import os
from typing import Annotated, Final, Literal

import msgspec

from collectors.strictyaml import Duration, Secret
from exporters.findings.settings import ClientTls

SILENT_ROUNDS: Final = 3
SILENT_LEAST: Final = 900.0  # seconds


class PullTls(ClientTls, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`server_name` is in the agents' certificates, where the targets' own hosts are not."""

    server_name: str = ""


class BasicAuth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    username: str
    password: Secret

    def __post_init__(self) -> None:
        if not self.username or ":" in self.username or not self.username.isprintable():
            raise ValueError("username: not empty, no colon and no control characters")
        if not self.password.reveal().isprintable():
            raise ValueError("password: has line ends or control characters in it")


class PullSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`targets_files` are Prometheus's file_sd files; the last part of a path may have `*` in it. `scheme` is for
    targets without the label `__scheme__`. `timeout` is for one answer in all, `max_bytes` for one unpacked.

    `silent_after`: from when on an agent that nothing was heard of is called silent; by default three intervals, and
    fifteen minutes at least. `push_rate` is how many audits an hour one token may push, on average.
    `authority` is the PEM file of who signed the console's own certificate, where the agents' systems do not know it:
    agents that enrol are given it, and check it by its fingerprint."""

    targets_files: tuple[str, ...] = ()
    interval: Duration = Duration(300)
    timeout: Duration = Duration(15)
    workers: Annotated[int, msgspec.Meta(ge=1, le=256)] = 16
    scheme: Literal["http", "https"] = "http"
    tls: PullTls = PullTls()
    basic_auth: BasicAuth | None = None
    max_bytes: Annotated[int, msgspec.Meta(ge=1 << 16, le=1 << 28)] = 16 << 20
    silent_after: Duration | None = None
    push_rate: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 120
    authority: str = ""

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise ValueError(f"the interval of {self.interval:g} s must be 1s or more")
        for path in self.targets_files:
            if "*" in os.path.dirname(path):
                raise ValueError(f"{path!r}: only the last part of a path may have * in it")
            if not path.endswith((".json", ".yml", ".yaml")):
                raise ValueError(f"{path!r} must end in .json, .yml or .yaml")

    @property
    def silence(self) -> float:
        """Seconds after which an agent is called silent."""
        if self.silent_after is not None:
            return float(self.silent_after)
        return max(SILENT_ROUNDS * float(self.interval), SILENT_LEAST)


def located(settings: PullSettings, folder: str) -> PullSettings:
    """Relative paths are relative to the configuration's folder."""

    def at(path: str) -> str:
        return os.path.join(folder, os.path.expanduser(path)) if path else ""

    tls = settings.tls
    return msgspec.structs.replace(
        settings,
        targets_files=tuple(map(at, settings.targets_files)),
        tls=msgspec.structs.replace(
            tls, ca_file=at(tls.ca_file), cert_file=at(tls.cert_file), key_file=at(tls.key_file)
        ),
        authority=at(settings.authority),
    )
