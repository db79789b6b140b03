"""Users of a real LDAP directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collectors.strictyaml import DocumentError, Duration, Secret
from exporters.console import settings as consolesettings
from exporters.console.people.directory import ldap
from exporters.console.people.directory.identity import DirectoryDown, Identity
from exporters.console.people.directory.ldapsettings import LdapGrant, LdapSettings
from tests.exporters.certificates import Authority
from tests.ldaplab import BASE, PASSWORD, READER, READER_PASSWORD, Slapd

GRANTS = (
    LdapGrant("analyst", group=f"cn=analysts,ou=groups,{BASE}", departments=("市财政局",)),
    LdapGrant("approver", group=f"cn=approvers,ou=groups,{BASE}"),
    LdapGrant("viewer", filter="(departmentNumber=0317)", departments=("市教育局", "")),
)


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    if why := Slapd.unavailable():
        pytest.skip(why)
    with Slapd() as running:
        yield running


def settings(slapd: Slapd, **changes: Any) -> LdapSettings:
    given: dict[str, Any] = {
        "url": slapd.tls_url,
        "ca_file": slapd.ca_file,
        "base": BASE,
        "grants": GRANTS,
        "bind_dn": READER,
        "bind_password": Secret(READER_PASSWORD),
        "timeout": Duration(3),
    }
    return LdapSettings(**(given | changes))


def dn(uid: str) -> str:
    return f"uid={uid},ou=people,{BASE}"


def test_who_the_directory_vouches_for_has_the_first_grant_that_fits(slapd: Slapd) -> None:
    zhang = Identity(
        "ldap", dn("zhang"), "zhang", "analyst", ("市财政局",), "Zhang San", "zhang@example.cn"
    )
    assert ldap.authenticate(settings(slapd), "zhang", PASSWORD) == zhang
    li = ldap.authenticate(settings(slapd), "li", PASSWORD)
    assert li is not None
    assert (li.role, li.departments) == ("approver", None)
    wang = ldap.authenticate(settings(slapd), "wang", PASSWORD)
    assert wang is not None
    assert (wang.role, wang.departments) == ("viewer", ("市教育局", ""))


def test_by_start_tls_and_in_the_clear_on_loopback(slapd: Slapd) -> None:
    for changes in ({"start_tls": True}, {"insecure": True, "ca_file": ""}):
        made = settings(slapd, url=slapd.url, **changes)
        assert ldap.authenticate(made, "zhang", PASSWORD)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("zhang", "wrong"),
        ("zhang", ""),  # a bind that would succeed, as nobody
        ("zhang", "\u00ad"),  # which preparing leaves nothing of
        ("zhang", "\u200b\u2060"),
        ("zhang", PASSWORD + "\0"),
        ("zhang", "x" * 5000),
        ("zhang", "\u06dd"),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("Zhang", PASSWORD),  # as the directory has it, or not at all
        ("zhang ", PASSWORD),
        ("*", PASSWORD),
        ("zh*", PASSWORD),
        ("*)(uid=*", PASSWORD),
        ("zhang)(objectClass=*", PASSWORD),
        ("zhang))(|(uid=*", PASSWORD),
        ("zhang\0", PASSWORD),
        ("\\7a\\68\\61\\6e\\67", PASSWORD),
        ("zhang\ud800", PASSWORD),
        (dn("zhang"), PASSWORD),
        ("zhao", PASSWORD),  # in no group that may come in
        ("twin", PASSWORD),  # two of them
    ],
)
def test_who_is_refused(slapd: Slapd, name: str, password: str) -> None:
    assert ldap.authenticate(settings(slapd), name, password) is None


def test_a_name_with_letters_of_filters_is_found_as_it_is(slapd: Slapd) -> None:
    found = ldap.authenticate(settings(slapd), "star*(x)", PASSWORD)
    assert found is not None
    assert (found.name, found.role) == ("star*(x)", "analyst")


def test_another_authority_is_refused(slapd: Slapd, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(Authority("Other CA").pem)
    for changes in ({}, {"url": slapd.url, "start_tls": True}):
        made = settings(slapd, ca_file=str(other), **changes)
        with pytest.raises(DirectoryDown, match=r"(?i)certificate"):
            ldap.authenticate(made, "zhang", PASSWORD)
        with pytest.raises(DirectoryDown, match=r"(?i)certificate"):  # the system's
            ldap.authenticate(msgspec.structs.replace(made, ca_file=""), "zhang", PASSWORD)


def test_a_certificate_of_another_name_is_refused() -> None:
    if why := Slapd.unavailable():
        pytest.skip(why)
    with Slapd("ldap.example.cn") as other:
        for changes in ({}, {"url": other.url, "start_tls": True}):
            with pytest.raises(DirectoryDown, match=r"(?i)mismatch|not valid for"):
                ldap.authenticate(settings(other, **changes), "zhang", PASSWORD)


def test_a_directory_that_is_down_or_refuses_the_console(slapd: Slapd) -> None:
    wrong = settings(slapd, bind_password=Secret("wrong"))
    with pytest.raises(DirectoryDown, match="refuses cn=console"):
        ldap.authenticate(wrong, "zhang", PASSWORD)
    slapd.kill()
    try:
        with pytest.raises(DirectoryDown):
            ldap.authenticate(settings(slapd), "zhang", PASSWORD)
    finally:
        slapd.start()
    assert ldap.authenticate(settings(slapd), "zhang", PASSWORD)


def test_referrals_are_not_followed(slapd: Slapd) -> None:
    elsewhere = settings(slapd, base=f"ou=elsewhere,{BASE}")
    with pytest.raises(DirectoryDown, match="referral"):
        ldap.authenticate(elsewhere, "zhang", PASSWORD)


def test_whoever_was_taken_out_is_nobody(slapd: Slapd) -> None:
    made = settings(slapd)
    assert ldap.still(made, dn("li"), "li") is not None
    slapd.change(f"dn: cn=approvers,ou=groups,{BASE}\nchangetype: modify\ndelete: member\nmember: {dn('li')}\n")  # fmt: skip
    try:
        assert ldap.still(made, dn("li"), "li") is None
    finally:
        slapd.change(f"dn: cn=approvers,ou=groups,{BASE}\nchangetype: modify\nadd: member\nmember: {dn('li')}\n")  # fmt: skip
    assert ldap.still(made, dn("gone"), "gone") is None


_GOOD = """\
ldap:
  url: ldaps://ldap.example.cn
  ca_file: ca.pem
  base: dc=example,dc=cn
  grants:
    - {group: "cn=a,dc=example,dc=cn", role: analyst, departments: [市财政局]}
"""


def test_the_settings_are_read_from_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "console.yaml"
    path.write_text(_GOOD)
    made = consolesettings.load(str(path)).ldap
    assert made is not None
    assert (made.host, made.port, made.tls) == ("ldap.example.cn", 636, True)
    assert made.ca_file == str(tmp_path / "ca.pem")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("ldaps://ldap", "ldap://ldap", "in the clear"),
        ("ldaps://ldap.example.cn", "ldap://ldap.example.cn\n  insecure: true", "loopback alone"),
        ("ldaps://ldap", "http://ldap", "write ldaps://host"),
        ("example.cn\n  ca", "example.cn:x\n  ca", "write ldaps://host"),
        ("ca_file: ca.pem", "user_filter: (uid=zhang)", r"no \{name\}"),
        ("ca_file: ca.pem", "user_filter: '(uid={name}'", "RFC 4515"),
        ("ca_file: ca.pem", "bind_dn: cn=x", "go together"),
        ("ca_file: ca.pem", "bind_password: hunter2", "not written here"),
        ("ca_file: ca.pem", "start_tls: true", "TLS from the start"),
        ('group: "cn=a,dc=example,dc=cn", ', "", "one of the two"),
        ("role: analyst", "role: root", "Invalid enum value|is not one of"),
    ],
)
def test_mistakes_in_the_settings(tmp_path: Path, old: str, new: str, problem: str) -> None:
    path = tmp_path / "console.yaml"
    assert old in _GOOD
    path.write_text(_GOOD.replace(old, new))
    with pytest.raises(DocumentError, match=problem):
        consolesettings.load(str(path))
