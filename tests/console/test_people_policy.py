"""The password policy: its rules, and that our own pack would pass it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.model import Fact
from exporters.console.people import passwords
from exporters.console.people.policy import BYTES, PeopleSettings, Policy, check, classes, expired
from exporters.console.settings import ConsoleSettings, load
from exporters.console.web.refusals import Invalid
from rules import pack as packs
from rules.engine import judge

POLICY = Policy()
PACK = packs.load("mlps-l3")
NOW = datetime(2027, 3, 1, tzinfo=UTC)


def _facts(settings: ConsoleSettings) -> dict[str, Any]:
    """What our collectors would say of a host whose PAM had this policy."""
    policy = settings.people.password
    return {
        "password_quality": {
            "configured": True,
            "module": "console",
            "why": "",
            "length": policy.min_length,
            "minlen": policy.min_length,
            "classes": policy.min_classes,
            "defaults": [],
            "enforce_for_root": True,
        },
        "passwords": [
            {
                "name": "zhang",
                "state": "$2b$",
                "login": True,
                "usable": True,
                "max_days": policy.max_days,
                "min_days": policy.min_days,
                "warn_days": policy.warn_days,
            }
        ],
        "odd_accounts": [],
        "password_history": {"configured": True, "module": "console", "remember": policy.remember},
        "lockout": {
            "services": [
                {
                    "service": "console",
                    "locks": True,
                    "why": "",
                    "module": "console",
                    "deny": policy.failures,
                    "unlock_time": policy.lock_seconds,
                    "fail_interval": 1 << 30,  # failures in a row are never forgotten
                    "even_deny_root": True,  # administrators are locked as well
                }
            ]
        },
        "shell_timeout": {"possible": [int(settings.idle)], "settings": []},
        "password_hash": {"method": "blowfish", "by": "bcrypt"},
    }


RULES = (
    "linux.pam.password-min-length",
    "linux.pam.password-classes",
    "linux.pam.password-quality-for-root",
    "linux.pam.password-history",
    "linux.pam.password-hash",
    "linux.accounts.password-max-age",
    "linux.accounts.password-min-age",
    "linux.accounts.password-warning",
    "linux.accounts.no-empty-password",
    "linux.pam.lockout",
    "linux.pam.lockout-attempts",
    "linux.pam.lockout-time",
    "linux.pam.lockout-root",
    "linux.shell.idle-timeout",
)


def _outcomes(settings: ConsoleSettings) -> dict[str, str]:
    facts = {name: Fact(name, value) for name, value in _facts(settings).items()}
    verdicts = judge(PACK, facts, {}, "console")
    return {one.rule: one.verdict for one in verdicts if one.rule in RULES}


def test_our_own_pack_passes_the_policy() -> None:
    assert _outcomes(ConsoleSettings()) == dict.fromkeys(RULES, "pass")


@pytest.mark.parametrize(
    ("key", "worse", "rule"),
    [
        ("min_length", 7, "linux.pam.password-min-length"),
        ("min_classes", 2, "linux.pam.password-classes"),
        ("max_days", 91, "linux.accounts.password-max-age"),
        ("min_days", 0, "linux.accounts.password-min-age"),
        ("warn_days", 6, "linux.accounts.password-warning"),
        ("remember", 4, "linux.pam.password-history"),
        ("failures", 6, "linux.pam.lockout-attempts"),
        ("lock_seconds", 599, "linux.pam.lockout-time"),
    ],
)
def test_nobody_can_make_it_so_weak_that_the_pack_fails(
    key: str, worse: int, rule: str, tmp_path: Path
) -> None:
    weak = msgspec.structs.replace(POLICY, **{key: worse})
    settings = ConsoleSettings(people=PeopleSettings(password=weak))
    assert _outcomes(settings)[rule] == "fail"
    file = tmp_path / "console.yaml"
    file.write_text(f"people: {{password: {{{key}: {worse}}}}}\n")
    with pytest.raises(Exception, match=key):
        load(str(file))


def _problem(password: str, name: str = "zhang") -> str:
    try:
        check(password, name, POLICY)
    except Invalid as refused:
        return refused.key
    return ""


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("Tr0ub-dour", ""),
        ("山高水长-Abc1", ""),
        ("Aa1-xyz", "people.password_short"),
        ("abcdefgh1", "people.password_classes"),
        ("Tr0ub-dour" * 8, "people.password_long"),
        ("天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏Aa1", "people.password_long"),
        ("Zhang-2027", "people.password_name"),
        ("Gnahz-2027", "people.password_name"),
        ("P@ssw0rd123!", "people.password_common"),
        ("Admin@123", "people.password_common"),
        ("Huawei@2027", "people.password_common"),
        ("Aa1Aa1Aa1", "people.password_common"),
        ("Tr0ub-\0dour", "people.password_character"),
        ("Tr0ub-\udc00dour", "people.password_character"),
    ],
)
def test_what_a_password_must_be(password: str, problem: str) -> None:
    assert _problem(password) == problem


@given(st.text(max_size=80))
def test_what_passes_has_length_and_classes_and_fits_into_bcrypt(password: str) -> None:
    if not _problem(password):
        assert POLICY.min_length <= len(password)
        assert len(password.encode()) <= BYTES
        assert classes(password) >= POLICY.min_classes
        assert "zhang" not in password.casefold()


@given(st.integers(8, 64), st.integers(3, 4))
def test_initial_passwords_pass_every_policy(length: int, kinds: int) -> None:
    policy = Policy(min_length=length, min_classes=kinds)
    check(passwords.initial("zhang", policy), "zhang", policy)


def test_a_password_is_old_after_its_days() -> None:
    assert not expired(NOW - timedelta(days=89, hours=23), POLICY, NOW)
    assert expired(NOW - timedelta(days=90), POLICY, NOW)
    assert expired(None, POLICY, NOW)
