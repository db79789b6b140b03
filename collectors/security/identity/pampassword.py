"""What a new password has to be like: pwquality.conf(5), pam_pwquality(8), pam_cracklib(8), pam_passwdqc(8),
pam_pwhistory(8), pwhistory.conf(5), the hash of pam_unix(8) and ENCRYPT_METHOD of login.defs(5).

libpwquality reads pwquality.conf.d in the order of its names, then pwquality.conf, then takes the
module's arguments: the last one wins. A module counts only where the password stack reaches it and its
refusal refuses the change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from collectors.security.identity.pamstack import Line, Step, flat, walk

PWQUALITY: Final = "/etc/security/pwquality.conf"
PWHISTORY: Final = "/etc/security/pwhistory.conf"
QUALITY_MODULES: Final = ("pam_pwquality", "pam_cracklib", "pam_passwdqc")
HISTORY_MODULES: Final = ("pam_pwhistory", "pam_unix")
NOT_SET: Final = -1  # remember is kept by no module
# Built in since libpwquality 1.4; before, minlen was 9 and each credit 1.
DEFAULTS: Final[Mapping[str, int]] = {
    "minlen": 8,
    "difok": 1,
    "dcredit": 0,
    "ucredit": 0,
    "lcredit": 0,
    "ocredit": 0,
    "minclass": 0,
    "maxrepeat": 0,
    "maxsequence": 0,
    "maxclassrepeat": 0,
    "gecoscheck": 0,
    "dictcheck": 1,
    "usercheck": 1,
    "enforcing": 1,
    "retry": 1,
}
CRACKLIB: Final = {**DEFAULTS, "minlen": 9, "difok": 5} | {
    f"{kind}credit": 1 for kind in ("d", "u", "l", "o")
}
FLAGS: Final = ("enforce_for_root", "local_users_only")
_CREDITS: Final = ("dcredit", "ucredit", "lcredit", "ocredit")
_SHORTEST: Final = 6  # libpwquality takes no lower minlen
_HASHES: Final = (
    *("sha512", "yescrypt", "gost_yescrypt", "sm3", "sm3_yescrypt", "blowfish", "sha256"),
    *("md5", "bigcrypt"),
)
_KEPT_BY_PWHISTORY: Final = 10  # what it keeps where nobody says

Found = Iterable[tuple[str, str]]  # path and text of files, in the order they are read


def number(text: str | None, otherwise: int = 0) -> int:
    """A decimal number as the modules read it; what is none is `otherwise`."""
    digits = (text or "").strip().removeprefix("-")
    plain = digits.isascii() and digits.isdigit() and len(digits) < 10
    return int((text or "").strip()) if plain else otherwise


def options(files: Found) -> dict[str, tuple[str, str]]:
    """`name = value` or a name alone: name → value and place, the last one."""
    found: dict[str, tuple[str, str]] = {}
    for path, text in files:
        for place, line in enumerate(text.split("\n"), 1):
            words = line.partition("#")[0].strip().replace("=", " ", 1).split(None, 1)
            if words:
                value = words[1].strip() if len(words) > 1 else ""
                found[words[0]] = (value, f"{path}:{place}")
    return found


def with_arguments(found: Mapping[str, tuple[str, str]], line: Line) -> dict[str, tuple[str, str]]:
    """The options of files with those of the module's line, which win."""
    given = (argument.partition("=") for argument in line.arguments)
    return {**found, **{name: (value, line.source) for name, _, value in given}}


def refusing(steps: list[Step], module: str) -> Line | None:
    """The line of a module that is reached, and whose refusal refuses the change of a password."""
    for line in walk(steps, _willing).reached:
        if line.module == module and not _passes(steps, line):
            return line
    return None


def _willing(line: Line) -> str:
    return "authtok_err" if line.module == "pam_deny" else "success"


def _passes(steps: list[Step], refused: Line) -> bool:
    """Whether the password is changed although `refused` said no."""
    return walk(steps, lambda x: "authtok_err" if x is refused else _willing(x)).passed


def quality(steps: list[Step], files: Found, commented: str) -> dict[str, Any]:
    """`password_quality`; `commented` is the place of a line that is a comment."""
    line = next((it for name in QUALITY_MODULES if (it := refusing(steps, name))), None)
    if line is None:
        there = next((it for it in flat(steps) if it.module in QUALITY_MODULES), None)
        why = "without effect" if there else "commented out" if commented else "no module"
        source = there.source if there else commented
        return _quality(there.module if there else "", {}, DEFAULTS, source, why)
    if line.module == "pam_passwdqc":
        return _passwdqc(line)
    cracklib = line.module == "pam_cracklib"
    found = with_arguments({} if cracklib else options(files), line)
    made = _quality(line.module, found, CRACKLIB if cracklib else DEFAULTS, line.source, "")
    if not made["enforcing"]:
        made |= {"configured": False, "why": "enforcing = 0"}
    return made


def _quality(
    module: str,
    found: Mapping[str, tuple[str, str]],
    defaults: Mapping[str, int],
    source: str,
    why: str,
) -> dict[str, Any]:
    values = {
        name: number(found[name][0], default) if name in found else default
        for name, default in defaults.items()
    }
    values["minlen"] = max(values["minlen"], _SHORTEST)
    credits = [values[name] for name in _CREDITS]
    classes = max(min(values["minclass"], 4), sum(credit < 0 for credit in credits))
    return {
        "configured": not why,
        "why": why,
        "module": module,
        **values,
        **{flag: flag in found for flag in FLAGS},
        # a credit shortens what is asked for; each negative one asks for characters of its class
        "length": values["minlen"] - sum(credit for credit in credits if credit > 0),
        "classes": classes,
        "defaults": [name for name in defaults if name not in found],
        "places": {name: found[name][1] for name in (*defaults, *FLAGS) if name in found},
        "source": found.get("minlen", ("", source))[1] if not why else source,
    }


def _passwdqc(line: Line) -> dict[str, Any]:
    """`min=N0,N1,N2,N3,N4`: least lengths with 1 class, 2, a phrase, 3, 4; `disabled` = never."""
    told = line.option("min")
    limits = (told or "disabled,24,11,8,7").split(",")
    lengths = [number(limit, NOT_SET) for limit in limits] + [NOT_SET] * 5
    by_classes = {1: lengths[0], 2: lengths[1], 3: lengths[3], 4: lengths[4]}
    possible = {classes: length for classes, length in by_classes.items() if length >= 0}
    made = _quality(line.module, {}, DEFAULTS, line.source, "")
    enforced = line.option("enforce") or "everyone"
    return made | {
        "length": min(possible.values(), default=NOT_SET),
        "minlen": min(possible.values(), default=NOT_SET),
        "classes": min(possible, default=0),
        "minclass": min(possible, default=0),
        "enforce_for_root": enforced == "everyone",
        "configured": enforced != "none",
        "why": "enforce=none" if enforced == "none" else "",
        "defaults": [] if told else ["minlen"],
        "retry": number(line.option("retry"), 3),
    }


def history(steps: list[Step], files: Found) -> dict[str, Any]:
    """`password_history`: what the best of the modules remembers."""
    read = options(files)
    rows = []
    for line in walk(steps, _willing).reached:
        if line.module == "pam_pwhistory" and not _passes(steps, line):
            found = with_arguments(read, line)
            kept = number(found.get("remember", ("", ""))[0], _KEPT_BY_PWHISTORY)
            rows.append(_history(line, kept, "enforce_for_root" in found))
        elif line.module == "pam_unix" and line.option("remember") is not None:
            rows.append(_history(line, number(line.option("remember")), False))
    best = max(rows, key=lambda row: row["remember"], default=None)
    return best or {
        "configured": False,
        "module": "",
        "remember": 0,
        "enforce_for_root": False,
        "source": "",
    }


def _history(line: Line, kept: int, root: bool) -> dict[str, Any]:
    return {
        "configured": kept > 0,
        "module": line.module,
        "remember": kept,
        "enforce_for_root": root,
        "source": line.source,
    }


def hashing(steps: list[Step], login_defs: str | None) -> dict[str, Any]:
    """`password_hash`: what pam_unix makes of the next password, and who says so."""
    told, place = options([("/etc/login.defs", login_defs or "")]).get("ENCRYPT_METHOD", ("", ""))
    line = next((it for it in walk(steps, _willing).reached if it.module == "pam_unix"), None)
    named = [a for a in (line.arguments if line else ()) if a in _HASHES]
    if line and named:
        method, by, source = named[-1], "pam_unix", line.source
    elif line and told:
        method, by, source = told.lower(), "login.defs", place
    else:  # each library has a default of its own
        method, by, source = "", "" if line else "no pam_unix", line.source if line else ""
    known = {"method": method} if method else {}
    return {**known, "by": by, "login_defs": told.lower(), "source": source}


def weakest(rows: Sequence[dict[str, Any]], *names: str) -> dict[str, Any]:
    """What whoever may choose between the services gets away with: of each of `names` the least."""
    made = min(rows, key=lambda row: [row[name] for name in names])
    return made | {name: min(row[name] for row in rows) for name in names}


def weakest_hash(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The row with the weakest method; one that nobody names is the weakest."""

    def strength(row: dict[str, Any]) -> int:
        method = row.get("method", "")
        return -_HASHES.index(method) if method in _HASHES else -len(_HASHES)

    return min(rows, key=strength)
