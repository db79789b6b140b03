"""The web configuration while the server runs: read again when one of its files changes.

A stat of each file is cheap enough for every request. What cannot be loaded leaves the old
configuration in force; so does a file that would take TLS, client certificates or passwords away,
because that is also what a half-written file looks like: protection ends by a restart only.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence

from collectors.model import Family, gauge, sample
from collectors.strictyaml import DocumentError
from exporters.prometheus.webconfig import WebConfig, load

log = logging.getLogger(__name__)

RETRY = 1.0  # seconds until a file that could not be loaded is tried again
SETTLE = 0.05  # seconds within which a file can change twice and keep its times

_Signature = tuple[tuple[int, int, int] | None, ...]


class LiveWebConfig:
    """The configuration in force. Without a path it is the empty one for ever.

    Raises DocumentError when it is made of a bad file.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._retry_at = 0.0
        self._problem = ""
        self._loaded_at = time.time()
        self.config = WebConfig()
        self._signature: _Signature = ()
        if path is not None:
            begin = time.time()
            self.config = _load(path)
            self._signature = _settled(_sign(self.config.files), begin)

    def refresh(self) -> bool:
        """Load what has changed. True if the TLS context is another one now."""
        if self._path is None:
            return False
        signature = _sign(self.config.files)
        if signature == self._signature and (
            not self._problem or time.monotonic() < self._retry_at
        ):
            return False
        self._signature = signature
        before, begin = self.config, time.time()
        try:
            config = _load(self._path)
            if lost := _lost(before, config):
                problem = f"it would take away {lost}; restart for that"
                raise DocumentError(self._path, None, problem)
        except DocumentError as error:
            self._retry_at = time.monotonic() + RETRY
            if str(error) != self._problem:
                self._problem = str(error)
                log.error("web configuration not reloaded: %s", error)
            return False
        self.config, self._problem, self._loaded_at = config, "", time.time()
        self._signature = _settled(_sign(config.files), begin)
        log.info("web configuration reloaded from %s", self._path)
        return True

    def families(self) -> Sequence[Family]:
        return (
            gauge(
                "jianwei_web_config_reload_success",
                "Whether the web configuration file could be loaded when it last changed.",
                sample(0 if self._problem else 1),
            ),
            gauge(
                "jianwei_web_config_reload_timestamp_seconds",
                "When the web configuration in force was loaded.",
                sample(self._loaded_at),
            ),
        )


def _load(path: str) -> WebConfig:
    config = load(path)
    for warning in config.warnings:
        log.warning("%s: %s", path, warning)
    return config


def _lost(before: WebConfig, after: WebConfig) -> str:
    """Which protection the new configuration no longer has."""
    if before.context and not after.context:
        return "TLS"
    if before.users and not after.users:
        return "passwords"
    if before.verifies_clients and not after.verifies_clients:
        return "client certificates"
    if before.sans and not after.sans:
        return "client_allowed_sans"
    return ""


def _sign(paths: Sequence[str]) -> _Signature:
    """Which contents the files have, as far as a stat can tell."""
    return tuple(_sign_one(path) for path in paths)


def _settled(signature: _Signature, begin: float) -> _Signature:
    """Nothing, so that it is read again, where a file changed while or just before it was read."""
    now = time.time()
    recent = any(one and begin - SETTLE < one[0] / 1e9 <= now for one in signature)
    return () if recent else signature


def _sign_one(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
