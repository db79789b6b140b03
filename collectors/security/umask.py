"""The umask of a login shell, and who sets it: login.defs(5), pam_umask(8), bash(1) INVOCATION.

PAM comes first, then /etc/profile and, where it stands at the end of that in both families,
/etc/profile.d/*.sh; the last that always runs wins, and what runs under a condition after it may.
An `if` whose every branch sets one always does. Files of a user's own are not read. Interactive
shells that are no login shells take /etc/bash.bashrc or /etc/bashrc; csh its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, NamedTuple

from collectors.model import Answers, Collector, Fact, File, Glob, ParseError, Reading, Unavailable

LOGIN_DEFS = File("/etc/login.defs")
PAM = Glob("/etc/pam.d/*")
PROFILE = File("/etc/profile")
PROFILE_D = Glob("/etc/profile.d/*.sh")
BASHRCS = (File("/etc/bash.bashrc"), File("/etc/bashrc"))
CSHRCS = (File("/etc/csh.cshrc"), File("/etc/csh.login"))
# The stacks that sessions of people go through.
SESSIONS = ("common-session", "login", "sshd", "system-auth", "password-auth", "postlogin")
MAX_SETTINGS = 1000
KERNEL = 0o022  # what init and systemd give where nobody sets anything

_UMASK = re.compile(r"umask[ \t]+(?:-S[ \t]+)?(['\"]?)([^ \t;&|#'\"]+)\1[ \t]*(?:$|[;&|#])")
_SYMBOLIC = re.compile(r"(?:[ugoa]*[=+-][rwx]*,)*[ugoa]*[=+-][rwx]*")
_SPLIT = re.compile(r";|&&|\|\|")
_OPENING = re.compile(r"(if|case|for|while|until|select)(?=[ \t]|$)")
_CLOSING = {"fi": "if", "esac": "case", "done": "loop"}
_KEYWORDS = re.compile(r"(?:then|else|do|\{|!)(?:[ \t]+|$)")


class Setting(NamedTuple):
    """One umask: where, which bits, whether only under a condition."""

    source: str
    value: int
    conditional: bool


class UmaskCollector(Collector, frozen=True):
    """`umask`: effective (octal text: the bits that every possible value takes away), source,
    values (those that are possible for a login shell), settings (rows: source, value, conditional,
    scope login, interactive or csh), interactive (as effective, of a shell that is no login shell,
    or empty where no file sets one), usergroups (whether PAM opens it to the group of the user's own name).
    """

    name: ClassVar[str] = "umask"
    facts: ClassVar[tuple[str, ...]] = ("umask",)

    def readings(self) -> tuple[Reading, ...]:
        return (LOGIN_DEFS, PAM, PROFILE, PROFILE_D, *BASHRCS, *CSHRCS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        first, usergroups = _of_pam(answers)
        login = [first, *_of_file(PROFILE, answers)]
        for path, answer in answers.children(PROFILE_D).items():
            if answer.state == "absent":
                continue
            if answer.state != "content":
                raise Unavailable(File(path), answer)
            login += settings(path, answer.content.decode("utf-8", "replace"))
        interactive = [one for file in BASHRCS for one in _of_file(file, answers)]
        csh = [one for file in CSHRCS for one in _of_file(file, answers)]
        possible = candidates(login)
        value = {
            "effective": _octal(_common(possible)),
            "source": possible[0].source,
            "values": sorted({_octal(one.value) for one in possible}),
            "interactive": _octal(_common(candidates(interactive))) if interactive else "",
            "usergroups": usergroups,
            "settings": [
                _row(one, scope)
                for scope, them in (("login", login), ("interactive", interactive), ("csh", csh))
                for one in them
            ],
        }
        yield Fact("umask", value, {"": possible[0].source})


def candidates(found: list[Setting]) -> list[Setting]:
    """The last that always holds, and those under a condition that come after it."""
    last = max((i for i, one in enumerate(found) if not one.conditional), default=0)
    return found[last:]


def _common(found: list[Setting]) -> int:
    bits = 0o777
    for one in found:
        bits &= one.value
    return bits


def _octal(value: int) -> str:
    return f"{value:03o}"


def _row(one: Setting, scope: str) -> dict[str, Any]:
    return {
        "key": f"{scope} {one.source}",
        "source": one.source,
        "value": _octal(one.value),
        "conditional": one.conditional,
        "scope": scope,
    }


def _of_file(file: File, answers: Answers) -> list[Setting]:
    text = answers.maybe(file)
    return [] if text is None else list(settings(file.path, text))


def _of_pam(answers: Answers) -> tuple[Setting, bool]:
    """What pam_umask sets, and whether it gives the group of the same name as the user all rights."""
    for path, answer in answers.children(PAM).items():
        if answer.state == "absent" or path.rpartition("/")[2] not in SESSIONS:
            continue
        if answer.state != "content":
            raise Unavailable(File(path), answer)
        for number, line in enumerate(answer.content.decode("utf-8", "replace").split("\n"), 1):
            words = line.split("#")[0].split()
            if "pam_umask.so" not in line or words[:1] not in (["session"], ["-session"]):
                continue
            options = [word.partition("=") for word in words[2:]]
            own = next((value for name, _, value in options if name == "umask"), None)
            names = {name for name, _, _ in options}
            defs = _login_defs(answers)
            groups = defs.get("USERGROUPS_ENAB", ("no", ""))[0] == "yes" and own is None
            groups = ("usergroups" in names or groups) and "nousergroups" not in names
            text, source = (own, f"{path}:{number}") if own else defs.get("UMASK", ("", ""))
            bits = _bits(text)
            if bits is None:
                break
            bits = bits & 0o707 | (bits >> 3 & 0o070) if groups else bits
            return Setting(source, bits, False), groups
    return Setting("kernel default", KERNEL, False), False


def _login_defs(answers: Answers) -> dict[str, tuple[str, str]]:
    found = {}
    for number, line in enumerate((answers.maybe(LOGIN_DEFS) or "").split("\n"), 1):
        words = line.split()
        if len(words) > 1 and words[0] in ("UMASK", "USERGROUPS_ENAB"):
            found[words[0]] = words[1].strip('"'), f"{LOGIN_DEFS.path}:{number}"
    return found


def _bits(text: str) -> int | None:
    """The bits of an octal umask, or of a symbolic one that says all: `u=rwx,g=rx,o=`."""
    if re.fullmatch("[0-7]{1,4}", text):
        return int(text, 8) & 0o777
    if len(text) > 40 or "=" not in text or not _SYMBOLIC.fullmatch(text):
        return None
    taken = KERNEL
    for who, sign, rights in re.findall("([ugoa]*)([=+-])([rwx]*)", text):
        bits = sum({"r": 4, "w": 2, "x": 1}[right] for right in set(rights))
        for letter, shift in (("u", 6), ("g", 3), ("o", 0)):
            if who and letter not in who and "a" not in who:
                continue
            if sign == "=":
                taken = taken & ~(7 << shift) | (7 - bits) << shift
            elif sign == "+":
                taken &= ~(bits << shift)
            else:
                taken |= bits << shift
    return taken


class _Block:
    """One `if`, loop, `case` or function: what each of its branches sets."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.branches: list[list[Setting]] = [[]]
        self.has_else = False


def settings(path: str, text: str) -> Iterator[Setting]:
    """The umasks that a shell script sets, in their order; what stands in a block is conditional,
    unless each branch of an `if` sets one: then the weakest of them holds as a whole."""
    outer = _Block("")
    stack = [outer]
    count = 0
    for number, line in enumerate(text.split("\n"), 1):
        if "umask" not in line and not _structural(line):
            continue
        for command, joined in _pieces(line):
            count += _take(command, stack, f"{path}:{number}", joined)
        if count > MAX_SETTINGS:
            raise ParseError(f"{path}: more than {MAX_SETTINGS} umasks")
    while len(stack) > 1:  # a script that ends in the middle of a block
        _close(stack)
    yield from outer.branches[0]


def _structural(line: str) -> bool:
    return bool(
        re.search(
            r"\b(?:if|then|else|elif|fi|case|esac|for|while|until|select|do|done)\b|[{}]", line
        )
    )


def _pieces(line: str) -> Iterator[tuple[str, bool]]:
    """Commands of a line, and whether one runs only if another did or did not succeed."""
    start, joined = 0, False
    line = re.split(r"(?:^|[ \t;])#", line, maxsplit=1)[0]
    for match in _SPLIT.finditer(line):
        yield line[start : match.start()].strip(), joined
        joined = match[0] != ";"
        start = match.end()
    yield line[start:].strip(), joined


def _take(command: str, stack: list[_Block], source: str, joined: bool) -> bool:
    """Whether the command sets one."""
    while True:
        if stack[-1].kind == "case":
            command = re.sub(r"^\(?[^()]*\)[ \t]*", "", command)
        if (match := _OPENING.match(command)) and len(stack) < 100:
            kind = match[1] if match[1] in ("if", "case") else "loop"
            stack.append(_Block(kind))
            return False
        word = re.match(r"[a-z]+(?=[ \t]|$)", command)
        name = word[0] if word else ""
        if name in ("elif", "else") and stack[-1].kind == "if":
            stack[-1].branches.append([])
            stack[-1].has_else = stack[-1].has_else or name == "else"
        if name in _CLOSING and stack[-1].kind == _CLOSING[name]:
            _close(stack)
            return False
        if re.match(r"(?:function[ \t]+)?[A-Za-z_][\w-]*[ \t]*\(\)[ \t]*\{", command):
            stack.append(_Block("function"))
            command = command.partition("{")[2].strip()
            continue
        if command.startswith("}") and stack[-1].kind == "function":
            stack.pop()  # what calls it is not followed
            return False
        if match := _KEYWORDS.match(command):
            command = command[match.end() :]
            continue
        break
    if (match := _UMASK.match(command)) and (bits := _bits(match[2])) is not None:
        stack[-1].branches[-1].append(Setting(source, bits, joined))
        return True
    return False


def _close(stack: list[_Block]) -> None:
    block = stack.pop()
    into = stack[-1].branches[-1]
    weakest: list[Setting] = []
    for branch in block.branches:
        sure = candidates(branch)
        if branch and not sure[0].conditional:
            weakest.append(Setting(sure[0].source, _common(sure), False))
    if block.kind == "if" and block.has_else and len(weakest) == len(block.branches):
        least = min(weakest, key=lambda one: one.value.bit_count())
        into.append(Setting(least.source, _common(weakest), False))
    else:
        into += [one._replace(conditional=True) for branch in block.branches for one in branch]
