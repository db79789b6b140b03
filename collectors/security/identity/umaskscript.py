"""The umasks that a shell script sets, in their order: bash(1) SHELL BUILTIN COMMANDS, umask(1p).

Nothing is run: what stands in a block, behind && or ||, after a return, in a here-document or a subshell
may hold or not, and is conditional; an `if` whose every branch sets one always does. What a function sets
may come last. A value that the text alone does not tell is no number but None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from collectors.model import ParseError

MAX_SETTINGS = 1000
MAX_DEPTH = 100
LONGEST = 1000  # of what stands behind the word

_WORD = r"(?:builtin[ \t]+|command[ \t]+(?:--[ \t]+)?)*[\\'\"]?umask['\"]?"
_UMASK = re.compile(rf"{_WORD}(?=[ \t<>]|[0-9]>|$)(.*)", re.DOTALL)
# anywhere but where it only tells: `$(umask)`
_SOMEHOW = re.compile(r"(?:^|[^\w/.$-])umask(?![\w.=/-])(?![ \t]*(?:-[Sp][ \t]*)*[)`])")
_SPEAKS = re.compile(r"(?:echo|printf|alias|unset|export|test|\[\[?|\((?!\())(?:[ \t]|$)|\(.*\)$")
_REDIRECTION = re.compile(r"[0-9]*(?:>>|>\||>&|<&|<>|>|<)[ \t]*[^ \t]+")
_SYMBOLIC = re.compile(r"(?:[ugoa]*[=+-][rwx]*,)*[ugoa]*[=+-][rwx]*")
_SPLIT = re.compile(r";|&&|\|\|")
_OPENING = re.compile(r"(if|case|for|while|until|select)(?=[ \t]|$)")
_CLOSING = {"fi": "if", "esac": "case", "done": "loop"}
_KEYWORDS = re.compile(r"(?:then|else|elif|do|\{|!|time)(?:[ \t]+|$)")
_FUNCTION = re.compile(r"(?:function[ \t]+)?[A-Za-z_][\w-]*[ \t]*\(\)[ \t]*(?:\{|$)")
_STRUCTURAL = re.compile(
    r"\b(?:if|then|else|elif|fi|case|esac|for|while|until|select|do|done|return|exit)\b|[{}()]|<<"
)
_HERE = re.compile(r"<<-?[ \t]*[\\'\"]?([A-Za-z_]\w*)")


class Setting(NamedTuple):
    """One umask: where, which bits (None: not told by the text), whether only under a condition."""

    source: str
    value: int | None
    conditional: bool
    text: str = ""


class _Block:
    """One `if`, loop, `case`, subshell or function: what each of its branches sets."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.branches: list[list[Setting]] = [[]]
        self.has_else = False


class _Script:
    def __init__(self, path: str) -> None:
        self.path = path
        self.outer = _Block("")
        self.stack = [self.outer]
        self.functions: list[Setting] = []
        self.left = False  # whether a return may have come before
        self.count = 0

    def take(self, command: str, source: str, joined: bool) -> None:
        """One command, with the keywords before it."""
        while True:
            top = self.stack[-1]
            if top.kind == "case":
                command = re.sub(r"^\(?[^()]*\)[ \t]*", "", command)
            if match := _OPENING.match(command):
                self._open(match[1] if match[1] in ("if", "case") else "loop")
                rest = command[match.end() :]
                if match[1] == "case":
                    rest = rest.partition(" in ")[2]
                command = "" if match[1] in ("for", "select") else rest.strip()
                continue
            word = re.match(r"[a-z]+(?=[ \t]|$)", command)
            name = word[0] if word else ""
            if name in ("elif", "else") and top.kind == "if":
                top.branches.append([])
                top.has_else = top.has_else or name == "else"
            if name in _CLOSING:
                if top.kind == _CLOSING[name]:
                    self._close()
                return
            if match := _FUNCTION.match(command):
                self._open("function")
                command = command[match.end() :].strip()
                continue
            if command.startswith("}") and top.kind == "function":
                self._close()
                return
            if command.startswith("(") and command.count("(") > command.count(")"):
                self._open("subshell")
                command = command[1:].strip()
                continue
            if match := _KEYWORDS.match(command):
                command = command[match.end() :]
                continue
            break
        if name in ("return", "exit"):
            self.left = self.left or self.stack[-1].kind != "function"
        elif found := _setting(command, source, joined or self.left):
            self.add(found)
        if self.stack[-1].kind == "subshell" and command.count(")") > command.count("("):
            self._close()

    def include(self, them: Sequence[Setting], again: bool) -> None:
        """What another file sets, here: for certain only where it is named first."""
        maybe = [one._replace(conditional=True) for one in them]
        self._counted(2 * len(maybe))
        self.outer.branches[0] += maybe if again or self.left else them
        if len(self.stack) > 1:  # it may also come after what this block has set
            self.stack[-1].branches[-1] += maybe

    def end(self) -> list[Setting]:
        while len(self.stack) > 1:  # a script that ends in the middle of a block
            self._close()
        return [*self.outer.branches[0], *self.functions]

    def add(self, found: Setting) -> None:
        self.stack[-1].branches[-1].append(found)
        self._counted(1)

    def _counted(self, more: int) -> None:
        self.count += more
        if self.count > MAX_SETTINGS:
            raise ParseError(f"{self.path}: more than {MAX_SETTINGS} umasks")

    def _open(self, kind: str) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise ParseError(f"{self.path}: more than {MAX_DEPTH} blocks in one another")
        self.stack.append(_Block(kind))

    def _close(self) -> None:
        block = self.stack.pop()
        into = self.stack[-1].branches[-1]
        maybe = [one._replace(conditional=True) for them in block.branches for one in them]
        if block.kind == "function":
            self.functions += maybe
            return
        sure = [candidates(branch) for branch in block.branches]
        if block.kind != "if" or not block.has_else or not all(map(_certain, sure)):
            into += maybe
            return
        known = [common for them in sure if (common := _weakest(them))]
        unclear = [one for them in sure for one in them if one.value is None]
        if known:
            least = min(known, key=lambda one: (one.value or 0).bit_count())
            into.append(least._replace(value=common_bits(known), conditional=False))
        else:
            into.append(unclear.pop(0)._replace(conditional=False))
        into += [one._replace(conditional=True) for one in unclear]


def settings(
    path: str, text: str, includes: Mapping[str, Sequence[Setting]] | None = None
) -> Iterator[Setting]:
    """What a script sets. `includes`: what is set by files where a line names them, by the name."""
    script = _Script(path)
    lines = text.split("\n")
    ends = {line.strip(): number for number, line in enumerate(lines)}
    document = -1  # the line with which a here-document ends, at the latest
    named: set[str] = set()
    for number, raw in enumerate(lines):
        takes = [name for name in includes or () if name in raw]
        if not (takes or "umask" in raw or _STRUCTURAL.search(raw)):
            continue
        line = re.split(r"(?:^|[ \t;])#", raw, maxsplit=1)[0]
        for name in takes:
            if name in line:
                script.include((includes or {})[name], again=name in named)
                named.add(name)
        for command, joined in _pieces(line):
            source = f"{path}:{number + 1}"
            if number >= document:
                script.take(command, source, joined)
            elif found := _setting(command, source, conditional=True):
                script.add(found)
        for word in _HERE.findall(line):
            document = max(document, ends.get(word, -1))
    yield from script.end()
    for name, them in (includes or {}).items():
        yield from (one._replace(conditional=True) for one in them if name not in named)


def _pieces(line: str) -> Iterator[tuple[str, bool]]:
    """Commands of a line, and whether one runs only if another did or did not succeed."""
    start, joined = 0, False
    for match in _SPLIT.finditer(line):
        yield line[start : match.start()].strip(), joined
        joined = match[0] != ";"
        start = match.end()
    yield line[start:].strip(), joined


def _setting(command: str, source: str, conditional: bool) -> Setting | None:
    """What one command sets, if it does; a way that is not known is a value that is not."""
    if "umask" not in command or _SPEAKS.match(command):
        return None
    match = _UMASK.match(command)
    if match is None:
        return Setting(source, None, conditional, command) if _SOMEHOW.search(command) else None
    if len(match[1]) > LONGEST:
        return Setting(source, None, conditional, command)
    # in a pipe or in the background another shell does it
    rest, other, _ = _REDIRECTION.sub(" ", match[1]).partition("|")
    rest, background, _ = rest.partition("&")
    words = [word for word in rest.rstrip(")}").split() if not re.fullmatch(r"-[Sp]+|--", word)]
    if not words:
        return None
    plain = re.sub(r"[\\'\"]", "", words[0])
    if re.fullmatch("[0-9]*[89][0-9]*", plain):  # no shell takes it
        return None
    elsewhere = bool(other or background)
    return Setting(source, bits(plain), conditional or elsewhere, words[0])


def bits(text: str) -> int | None:
    """The bits of an octal umask, or of a symbolic one that says all: `u=rwx,g=rx,o=`, `a+rwx`."""
    if re.fullmatch("0*[0-7]{1,3}", text):
        return int(text, 8)
    if len(text) > 40 or not _SYMBOLIC.fullmatch(text):
        return None
    # the outcome hangs on the umask before unless it is the same for none and for all
    first, second = (_applied(text, before) for before in (0, 0o777))
    return first if first == second else None


def _applied(text: str, taken: int) -> int:
    for who, sign, rights in re.findall("([ugoa]*)([=+-])([rwx]*)", text):
        given = sum({"r": 4, "w": 2, "x": 1}[right] for right in set(rights))
        for letter, shift in (("u", 6), ("g", 3), ("o", 0)):
            if who and letter not in who and "a" not in who:
                continue
            if sign == "=":
                taken = taken & ~(7 << shift) | (7 - given) << shift
            elif sign == "+":
                taken &= ~(given << shift)
            else:
                taken |= given << shift
    return taken


def candidates(found: list[Setting]) -> list[Setting]:
    """The last that always holds, and those under a condition that come after it."""
    last = max((i for i, one in enumerate(found) if not one.conditional), default=0)
    return found[last:]


def common_bits(found: Sequence[Setting]) -> int:
    """The bits that each of those with a known value takes away."""
    taken = 0o777
    for one in found:
        taken &= 0o777 if one.value is None else one.value
    return taken


def _certain(sure: list[Setting]) -> bool:
    return bool(sure) and not sure[0].conditional


def _weakest(them: list[Setting]) -> Setting | None:
    known = [one for one in them if one.value is not None]
    return known[0]._replace(value=common_bits(known)) if known else None
