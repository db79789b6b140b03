"""What PAM does at a login: the lock after failures, su's circle, the second factor.

pam_faillock(8), faillock.conf(5), pam_tally2(8), pam_wheel(8), pam_succeed_if(8). Each question is
asked by walking the stack as it would be walked: with a wrong password; by someone outside the group;
with the right password and a wrong code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from collectors.security.pampassword import number, options, with_arguments
from collectors.security.pamstack import Line, Step, flat, walk

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


def _wrong_password(line: Line) -> str:
    if line.module in PASSWORD_MODULES or line.module in SECOND_FACTORS:
        return "auth_err"
    if line.module == "pam_faillock" and "authfail" in line.arguments:
        return "auth_err"
    return _person(line)


def _passes(auth: list[Step], refusing: set[Line]) -> bool:
    """Whether a person who gets all right comes in although these lines refuse."""
    return walk(auth, lambda x: "auth_err" if x in refusing else _person(x)).passed


# --- lock after failures --------------------------------------------------------------------------


def lockout(
    service: str, auth: list[Step], files: Mapping[str, str | None], commented: str
) -> dict[str, Any]:
    """One row of `lockout.services`; `files` are the texts of faillock's files by path."""
    for lock in (_faillock(auth, files), _tally(auth)):
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


def _faillock(auth: list[Step], files: Mapping[str, str | None]) -> dict[str, Any] | None:
    """Failures must be counted, and a lock must refuse whoever has the right password."""
    counted = [
        x
        for x in walk(auth, _wrong_password).reached
        if x.module == "pam_faillock" and "authfail" in x.arguments
    ]
    checks = [
        x
        for x in walk(auth, _person).reached
        if x.module == "pam_faillock" and {"preauth", "authsucc"} & set(x.arguments)
    ]
    if not counted or not checks:
        return None
    # the account phase refuses nobody who is locked: only what refuses here counts
    if _passes(auth, {x for x in flat(auth) if x.module == "pam_faillock"}):
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


def _tally(auth: list[Step]) -> dict[str, Any] | None:
    """pam_tally2 counts before and refuses by itself; `deny` is needed for a lock."""
    for line in walk(auth, _wrong_password).reached:
        if line.module not in TALLIES:
            continue
        deny = number(line.option("deny"))
        if _passes(auth, {line}):
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
    wheel = next((x for x in flat([*auth, *account]) if x.module == "pam_wheel"), None)
    restricted = any(
        walk(steps, _person).passed and not walk(steps, _outsider).passed
        for steps in (auth, account)
    )
    group = (wheel.option("group") or "wheel") if wheel else ""
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


def _outsider(line: Line) -> str:
    if line.module == "pam_wheel":
        # `deny` turns it round: it is the members who are refused
        return "ignore" if "deny" in line.arguments else "perm_denied"
    return _person(line)


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
