"""Directories that know passwords, for the login: each is asked in turn, after the console's own users."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from exporters.console.people.directory.identity import DirectoryDown, Identity, Origin
from exporters.console.people.directory.ldapsettings import LdapSettings
from exporters.console.settings import ConsoleSettings
from exporters.console.web.refusals import Refused

log = logging.getLogger(__name__)


class Down(Refused):
    """The directory cannot be asked: whose password it keeps cannot log in now."""

    status = 503


class Directory(Protocol):
    @property
    def origin(self) -> Origin: ...

    def authenticate(self, name: str, password: str) -> Identity | None:
        """None where it does not vouch for them; raises DirectoryDown."""


@dataclass(frozen=True)
class LdapDirectory:
    settings: LdapSettings
    origin: Origin = "ldap"

    def authenticate(self, name: str, password: str) -> Identity | None:
        from exporters.console.people.directory import ldap

        return ldap.authenticate(self.settings, name, password)


def directories(settings: ConsoleSettings) -> tuple[Directory, ...]:
    return () if settings.ldap is None else (LdapDirectory(settings.ldap),)


def vouched(settings: ConsoleSettings, name: str, password: str) -> Identity | None:
    """Who one of the directories says this is. Raises Down, once none has vouched and one could not be asked."""
    down = False
    for one in directories(settings):
        try:
            identity = one.authenticate(name, password)
        except DirectoryDown as error:
            log.warning("the directory (%s) cannot be asked: %s", one.origin, error)
            down = True
            continue
        if identity is not None:
            return identity
    if down:
        raise Down("directory.down")
    return None
