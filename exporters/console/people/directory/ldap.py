"""Users of an LDAP directory: LDAP v3 (RFC 4511) with ldap3, always verified TLS.

Somebody logs in by a simple bind as the one entry that their name finds; the password is used for that and kept nowhere.
Referrals are not followed and aliases not resolved: what is not in this directory is nobody.
"""

from __future__ import annotations

import contextlib
import math
import ssl
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import ldap3
from ldap3.core.exceptions import LDAPExceptionError
from ldap3.protocol.sasl.sasl import sasl_prep
from ldap3.utils.conv import escape_filter_chars
from ldap3.utils.dn import parse_dn

from exporters.console.people.directory.identity import DirectoryDown, Identity, fits
from exporters.console.people.directory.ldapsettings import PLACE, LdapGrant, LdapSettings

# RFC 4511, 4.1.9
_SUCCESS: Final = 0
_SIZE_LIMIT: Final = 4
_NO_SUCH_OBJECT: Final = 32
_REFUSED: Final = frozenset(
    {8, 13, 19, 48, 49, 50, 53}
)  # what a bind with a wrong password may say
_LONGEST_PASSWORD: Final = 1024


class _Entry(NamedTuple):
    dn: str
    attributes: dict[str, str]  # by names in small letters, the first value of each


def authenticate(settings: LdapSettings, name: str, password: str) -> Identity | None:
    """Who this is, or None where the directory does not vouch for them: an unknown name, a wrong or empty password, a
    name that is not written as the directory has it, two entries, no group that may come in. Raises DirectoryDown."""
    if not fits(name) or not (prepared := _prepared(password)):
        return None
    with _connected(settings) as directory:
        entry = _found(directory, settings, settings.base, ldap3.SUBTREE, name)
        if entry is None or not _is_them(settings, entry.dn, prepared):
            return None
        return _identity(directory, settings, entry, name)


def still(settings: LdapSettings, subject: str, name: str) -> Identity | None:
    """Who this is by now: None where the entry is gone, is not found by the filter any more, or is in no group
    that may come in. Raises DirectoryDown."""
    with _connected(settings) as directory:
        entry = _found(directory, settings, subject, ldap3.BASE, name)
        return None if entry is None else _identity(directory, settings, entry, name)


def same(dn: str, other: str) -> bool:
    """Whether two DNs are of one entry, however they are written."""
    try:
        one, two = (
            [
                (key.lower(), " ".join(value.lower().split()))
                for key, value, _ in parse_dn(text, strip=True)
            ]
            for text in (dn, other)
        )
    except LDAPExceptionError:
        return False
    return one == two


def _identity(
    directory: ldap3.Connection, settings: LdapSettings, entry: _Entry, name: str
) -> Identity | None:
    grant = next((one for one in settings.grants if _fits(directory, one, entry.dn, name)), None)
    if grant is None:
        return None
    return Identity(
        "ldap",
        entry.dn,
        name,
        grant.role,
        grant.departments,
        entry.attributes.get(settings.full_name.lower(), ""),
        entry.attributes.get(settings.mail.lower(), ""),
    )


def _found(
    directory: ldap3.Connection, settings: LdapSettings, base: str, scope: Any, name: str
) -> _Entry | None:
    """The one entry of this name. A directory takes `Zhang` for `zhang`; here they would be two, so that the name must
    be as it is there."""
    search = settings.user_filter.replace(PLACE, escape_filter_chars(name))
    wanted = [settings.name, settings.full_name, settings.mail]
    found = _search(directory, base, search, scope, wanted)
    if len(found) != 1:
        return None
    return found[0] if found[0].attributes.get(settings.name.lower()) == name else None


def _fits(directory: ldap3.Connection, grant: LdapGrant, dn: str, name: str) -> bool:
    if grant.filter:
        return bool(_search(directory, dn, grant.filter, ldap3.BASE, ["1.1"]))
    whole, short = escape_filter_chars(dn), escape_filter_chars(name)
    member = f"(|(member={whole})(uniqueMember={whole})(memberUid={short}))"
    return bool(_search(directory, grant.group, member, ldap3.BASE, ["1.1"]))


def _search(
    directory: ldap3.Connection, base: str, search: str, scope: Any, attributes: list[str]
) -> list[_Entry]:
    with _told(directory):
        directory.search(
            base,
            search,
            search_scope=scope,
            dereference_aliases=ldap3.DEREF_NEVER,
            attributes=attributes,
            size_limit=2,
            time_limit=directory.receive_timeout,
        )
        code, response = directory.result["result"], directory.response or ()
    if code == _NO_SUCH_OBJECT:
        return []
    if code not in (_SUCCESS, _SIZE_LIMIT):
        raise DirectoryDown(f"it answers a search with {directory.result['description']}")
    return [_entry(one) for one in response if one["type"] == "searchResEntry"]


def _entry(one: Any) -> _Entry:
    attributes = {}
    for key, values in one["raw_attributes"].items():
        if values:
            attributes[key.lower()] = values[0].decode("utf-8", "replace")
    return _Entry(one["dn"], attributes)


def _prepared(password: str) -> str:
    """The password as a directory takes it (SASLprep, RFC 4013). Empty for what cannot be one: a bind with a name and
    no password succeeds, as nobody (RFC 4513, 5.1.2), and preparing leaves some characters out."""
    if len(password) > _LONGEST_PASSWORD or "\0" in password:
        return ""
    try:
        return str(sasl_prep(password))  # type: ignore[no-untyped-call]
    except LDAPExceptionError:
        return ""


def _is_them(settings: LdapSettings, dn: str, password: str) -> bool:
    """Whether the entry's password is this one. A connection of its own: the other stays who it is."""
    connection = _connection(settings, dn, password)
    try:
        _open(connection, settings)
        with _told(connection):
            connection.bind()
            code = connection.result["result"]
        if code in _REFUSED:
            return False
        if code != _SUCCESS:
            raise DirectoryDown(f"it answers a bind with {connection.result['description']}")
        return True
    finally:
        _close(connection)


@contextlib.contextmanager
def _connected(settings: LdapSettings) -> Iterator[ldap3.Connection]:
    """As the console itself, or as nobody."""
    secret = settings.bind_password
    connection = _connection(settings, settings.bind_dn, secret.reveal() if secret else "")
    try:
        _open(connection, settings)
        with _told(connection):
            connection.bind()
        if connection.result["result"] != _SUCCESS:
            whose = settings.bind_dn or "an anonymous user"
            raise DirectoryDown(f"it refuses {whose}: {connection.result['description']}")
        yield connection
    finally:
        _close(connection)


class _Verified(ldap3.Tls):
    """TLS whose chain and host name OpenSSL verifies; ldap3 by itself would match names on its own."""

    def __init__(self, ca_file: str) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._ca_file = ca_file

    def wrap_socket(self, connection: ldap3.Connection, do_handshake: bool = True) -> None:
        context = ssl.create_default_context(cafile=self._ca_file or None)
        name = connection.server.host
        connection.socket = context.wrap_socket(connection.socket, server_hostname=name)


def _connection(settings: LdapSettings, dn: str, password: str) -> ldap3.Connection:
    server = ldap3.Server(
        settings.host,
        settings.port,
        use_ssl=settings.tls,
        get_info=ldap3.NONE,
        tls=_Verified(settings.ca_file),
        connect_timeout=settings.timeout,
        allowed_referral_hosts=[],
    )
    return ldap3.Connection(
        server,
        dn or None,
        password or None,
        authentication=ldap3.SIMPLE if dn else ldap3.ANONYMOUS,
        auto_referrals=False,
        receive_timeout=math.ceil(settings.timeout),  # whole seconds, into a timeval
        check_names=False,
        raise_exceptions=False,
    )


def _open(connection: ldap3.Connection, settings: LdapSettings) -> None:
    with _told(connection):
        connection.open(read_server_info=False)
        if settings.start_tls and not connection.start_tls(read_server_info=False):
            raise DirectoryDown("it does not start TLS")


@contextlib.contextmanager
def _told(connection: ldap3.Connection) -> Iterator[None]:
    try:
        yield
    except (LDAPExceptionError, OSError) as error:
        raise DirectoryDown(
            f"{connection.server.name}: {' '.join(str(error).split())[:300]}"
        ) from error


def _close(connection: ldap3.Connection) -> None:
    with contextlib.suppress(LDAPExceptionError, OSError):
        connection.unbind()
