"""What PAM does at a login: the lock after failures, su's circle, the second factor.

pam_faillock(8), faillock.conf(5), pam_tally2(8), pam_wheel(8), pam_succeed_if(8). Each question is
asked by walking the stack as it would be walked: with a wrong password; by someone outside the group;
with the right password and a wrong code; by someone who knows nothing. What hangs on groups is asked of
someone who is in all of them too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from collectors.security.identity.pampassword import number, options, with_arguments
from collectors.security.identity.pamstack import Line, Step, flat, walk

Person = Callable[[Line], str]
FAILLOCK: Final = "/etc/security/faillock.conf"
PASSWORD_MODULES: Final = frozenset(
    {"pam_unix", "pam_unix2", "pam_sss", "pam_krb5", "pam_ldap", "pam_winbind", "pam_tcb"}
)
SECOND_FACTORS: Final = frozenset(
    {"pam_google_authenticator", "pam_oath", "pam_u2f", "pam_pkcs11", "pam_radius_auth"}
    | {"pam_radius", "pam_yubico", "pam_duo", "pam_totp", "pam_otp", "pam_p11", "pam_privacyidea"}
    | {"pam_securid", "pam_biometric"}
)
TALLIES: Final = ("pam_tally2", "pam_tally")
_ROOT_OPTIONS: Final = ("even_deny_root", "even_deny_root_account", "root_unlock_time")
_UID: Final = re.compile(r"uid (>=|>|<=|<|==|=|eq|ne|ge|gt|le|lt) ([0-9]{1,9})")
_PERSON = 1000  # the uid of a plain user


# Modules that ask for nothing: what they say hangs on who one is.
_ASK_NOTHING: Final = frozenset(
    {"pam_permit", "pam_succeed_if", "pam_wheel", "pam_listfile", "pam_localuser", "pam_usertype"}
    | {"pam_access", "pam_time", "pam_shells", "pam_securetty", "pam_nologin", "pam_env"}
    | {"pam_exec", "pam_faillock", "pam_tally2", "pam_tally", "pam_faildelay", "pam_group"}
    | {"pam_debug", "pam_echo", "pam_warn", "pam_umask", "pam_keyinit", "pam_selinux"}
)


def _person(line: Line) -> str:
    """What modules other than those asked about say of a plain local user who gets all right."""
    words = " ".join(a for a in line.arguments if not a.startswith("quiet"))
    if line.module in ("pam_deny", "pam_rootok", "pam_fprintd"):
        return "auth_err"
    if line.module == "pam_succeed_if":
        found = _UID.search(words)
        if found:
            return "success" if _compare(found[1], int(found[2])) else "auth_err"
        if "user = root" in words or "ingroup" in words:
            return "auth_err"
    if line.module == "pam_usertype" and "issystem" in words:
        return "auth_err"
    return "success"


def _member(line: Line) -> str:
    """The same of one who is in every group that is asked for."""
    if line.module == "pam_succeed_if" and ("ingroup" in line.arguments):
        return "success"
    if line.module == "pam_succeed_if" and "notingroup" in line.arguments:
        return "auth_err"
    return _person(line)


def _compare(operator: str, limit: int) -> bool:
    match operator:
        case ">=" | "ge":
            return limit <= _PERSON
        case ">" | "gt":
            return limit < _PERSON
        case "<=" | "le":
            return limit >= _PERSON
        case "<" | "lt":
            return limit > _PERSON
        case "ne":
            return limit != _PERSON
    return limit == _PERSON


def _wrong_password(line: Line, person: Person = _person) -> str:
    if line.module in PASSWORD_MODULES or line.module in SECOND_FACTORS:
        return "auth_err"
    if line.module == "pam_faillock" and "authfail" in line.arguments:
        return "auth_err"
    return person(line)


def _passes(auth: list[Step], refusing: set[Line], person: Person = _person) -> bool:
    """Whether a person who gets all right comes in although these lines refuse."""
    return walk(auth, lambda x: "auth_err" if x in refusing else person(x)).passed


# --- lock after failures --------------------------------------------------------------------------


def lockout(
    service: str, auth: list[Step], files: Mapping[str, str | None], commented: str
) -> dict[str, Any]:
    """One row of `lockout.services`; `files` are the texts of faillock's files by path."""
    finders: tuple[Callable[[Person], dict[str, Any] | None], ...] = (
        lambda person: _faillock(auth, files, person),
        lambda person: _tally(auth, person),
    )
    for find in finders:
        lock = find(_person)
        # of groups that come in without a password there is nothing to guess
        asked = not walk(auth, lambda x: _wrong_password(x, _member)).passed
        if lock is not None and asked and find(_member) is None:
            lock |= {"locks": False, "why": "not for a group"}
        if lock is not None:
            return {"service": service, **lock}
    there = next((x for x in flat(auth) if x.module in ("pam_faillock", *TALLIES)), None)
    why = "without effect" if there else "commented out" if commented else "no module"
    return {
        "service": service,
        "locks": False,
        "why": why,
        "module": there.module if there else "",
        "deny": 0,
        "unlock_time": 0,
        "fail_interval": 0,
        "even_deny_root": False,
        "silent": False,
        "source": there.source if there else commented or f"/etc/pam.d/{service}",
    }


def _faillock(
    auth: list[Step], files: Mapping[str, str | None], person: Person
) -> dict[str, Any] | None:
    """Failures must be counted, and a lock must refuse whoever has the right password."""
    counted = [
        x
        for x in walk(auth, lambda x: _wrong_password(x, person)).reached
        if x.module == "pam_faillock" and "authfail" in x.arguments
    ]
    checks = [
        x
        for x in walk(auth, person).reached
        if x.module == "pam_faillock" and {"preauth", "authsucc"} & set(x.arguments)
    ]
    if not counted or not checks:
        return None
    # the account phase refuses nobody who is locked: only what refuses here counts
    if _passes(auth, {x for x in flat(auth) if x.module == "pam_faillock"}, person):
        return None
    found = [_faillock_options(x, files) for x in (*counted, *checks)]
    denies = [number(f.get("deny", ("", ""))[0], 3) for f in found]
    unlocks = [_unlock(f.get("unlock_time", ("", ""))[0], 600) for f in found]
    place = found[0].get("deny", ("", counted[0].source))[1]
    return {
        "locks": min(denies) > 0,
        "why": "" if min(denies) > 0 else "deny = 0",
        "module": "pam_faillock",
        "deny": max(denies),
        "unlock_time": 0 if all(u == 0 for u in unlocks) else min(u for u in unlocks if u),
        "fail_interval": min(number(f.get("fail_interval", ("", ""))[0], 900) for f in found),
        "even_deny_root": all(any(o in f for o in _ROOT_OPTIONS) for f in found),
        "silent": any("silent" in f for f in found),
        "source": place,
    }


def faillock_file(line: Line) -> str:
    """The file that a line of pam_faillock takes its options from."""
    return line.option("conf") or FAILLOCK


def _faillock_options(line: Line, files: Mapping[str, str | None]) -> dict[str, tuple[str, str]]:
    path = faillock_file(line)
    return with_arguments(options([(path, files.get(path) or "")]), line)


def _unlock(text: str, otherwise: int) -> int:
    """Seconds; 0: for ever."""
    return 0 if text == "never" else number(text, otherwise)


def _tally(auth: list[Step], person: Person) -> dict[str, Any] | None:
    """pam_tally2 counts before and refuses by itself; `deny` is needed for a lock."""
    for line in walk(auth, lambda x: _wrong_password(x, person)).reached:
        if line.module not in TALLIES:
            continue
        deny = number(line.option("deny"))
        if _passes(auth, {line}, person):
            continue
        return {
            "locks": deny > 0,
            "why": "" if deny > 0 else "no deny",
            "module": line.module,
            "deny": deny,
            "unlock_time": _unlock(line.option("unlock_time") or "", 0),
            "fail_interval": 0,
            "even_deny_root": any(a.partition("=")[0] in _ROOT_OPTIONS for a in line.arguments),
            "silent": "silent" in line.arguments,
            "source": line.source,
        }
    return None


# --- su -------------------------------------------------------------------------------------------


def su(
    service: str,
    auth: list[Step],
    account: list[Step],
    commented: str,
    groups: Mapping[str, Iterable[str]],
) -> dict[str, Any]:
    """`su`: whether somebody outside the group is refused, even with root's password."""
    wheels = [x for x in flat([*auth, *account]) if x.module == "pam_wheel"]
    # `trust` lets people in and keeps nobody out
    wheel = min(wheels, key=lambda x: "trust" in x.arguments) if wheels else None
    group = _circle(wheel) if wheel else ""
    restricted = any(
        walk(steps, _person).passed and not walk(steps, lambda x: _outsider(x, group)).passed
        for steps in (auth, account)
    )
    known = wheel is None or group in groups or wheel.option("group") is None
    if restricted:
        why = "" if known else f"there is no group {group}"
    elif wheel:
        why = "without effect"
    else:
        why = "commented out" if commented else "no module"
    return {
        "restricted": restricted,
        "why": why,
        "group": group,
        "use_uid": bool(wheel and "use_uid" in wheel.arguments),
        "members": sorted(groups.get(group, ())),
        "source": wheel.source if wheel else commented or f"/etc/pam.d/{service}",
    }


def _circle(line: Line) -> str:
    return line.option("group") or "wheel"


def _outsider(line: Line, group: str) -> str:
    """Somebody who is not in `group`, and in every other."""
    if line.module == "pam_wheel":
        if "trust" in line.arguments and _circle(line) != group:
            return "success"
        # `deny` turns it round: it is the members who are refused
        return "ignore" if "deny" in line.arguments else "perm_denied"
    return _member(line)


def asking(service: str, auth: list[Step]) -> dict[str, Any]:
    """One row of `elevation.services`: whether someone who knows no password is refused."""
    for person in (_person, _member):
        found = walk(auth, partial(_knows_nothing, person=person))
        if found.passed:
            ends = [x for x in found.reached if _knows_nothing(x, person) == "success"]
            return {
                "service": service,
                "asks": False,
                "module": ends[-1].module if ends else "",
                "source": ends[-1].source if ends else f"/etc/pam.d/{service}",
            }
    source = auth[0].source if auth and isinstance(auth[0], Line) else f"/etc/pam.d/{service}"
    return {"service": service, "asks": True, "module": "", "source": source}


def _knows_nothing(line: Line, person: Person) -> str:
    if line.module == "pam_faillock" and "authfail" in line.arguments:
        return "auth_err"
    if line.module == "pam_wheel" and person is _member:
        return "success" if "trust" in line.arguments else "ignore"
    if line.module == "pam_wheel":
        return "perm_denied"
    return person(line) if line.module in _ASK_NOTHING else "auth_err"


# --- second factor ----------------------------------------------------------------------------------


def second_factor(service: str, auth: list[Step]) -> dict[str, Any]:
    """One row of `second_factor.services`: required if the right password alone is not enough."""
    found = [x for x in flat(auth) if x.module in SECOND_FACTORS]
    required = bool(found) and not _passes(auth, set(found))
    alone = _passes(auth, {x for x in flat(auth) if x.module in PASSWORD_MODULES})
    nullok = [x for x in found if "nullok" in x.arguments]
    return {
        "service": service,
        "modules": sorted({x.module for x in found}),
        # who has no secret yet passes without
        "required": required and not nullok,
        "with_password": bool(found) and not alone,
        "source": (nullok or found)[0].source if found else f"/etc/pam.d/{service}",
    }
