"""PAM stacks as the library builds and walks them: pam.conf(5), pam.d(5), Debian's `@include`.

`include` and `@include` put a file's lines in place; `substack` is one step whose `done` and `die`
end only itself. A stack is walked with an answer for each module: so what a control really does
(a jump over the lock, a `sufficient` before it) shows in what was reached and how it ended.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from collectors.model import ParseError

FOLDER: Final = "/etc/pam.d"
TYPES: Final = ("auth", "account", "password", "session")
MAX_DEPTH = 16  # as the library's own
MAX_LINES = 4000  # of one service, with all it includes

_WORD = re.compile(r"\[[^\[\]]*\]|\S+")
_PAIR = re.compile(r"(\w+)\s*=\s*(\w+)")
_CONTROLS: Final = {
    "required": {"success": "ok", "new_authtok_reqd": "ok", "ignore": "ignore", "default": "bad"},
    "requisite": {"success": "ok", "new_authtok_reqd": "ok", "ignore": "ignore", "default": "die"},
    "sufficient": {"success": "done", "new_authtok_reqd": "done", "default": "ignore"},
    "optional": {"success": "ok", "new_authtok_reqd": "ok", "default": "ignore"},
}


class Line(NamedTuple):
    """One directive. `module` without folder and `.so`, or the file of an include."""

    type: str
    control: str
    module: str
    arguments: tuple[str, ...]
    source: str

    @property
    def file(self) -> str:
        return self.source.rpartition(":")[0]

    def option(self, name: str) -> str | None:
        """The value of `name=value`, the last one; None where it is not there."""
        found = [a.partition("=")[2] for a in self.arguments if a.partition("=")[0] == name]
        return found[-1] if found else None

    def action(self, result: str) -> str:
        """What the control does with a module's answer: ok, done, bad, die, ignore, reset, N."""
        control = self.control.lower()
        actions = _CONTROLS.get(control) or dict(_PAIR.findall(control))
        return actions.get(result) or actions.get("default") or "bad"


class Substack(NamedTuple):
    """Lines that are one step of the stack around them."""

    steps: list[Step]


Step = Line | Substack
Find = Callable[[str], tuple[str, str] | None]  # path and text of a service, or of a path


class Walk(NamedTuple):
    """The lines that a walk ran, in order, and whether the stack let the user pass."""

    reached: list[Line]
    passed: bool


def lines(path: str, text: str) -> Iterator[Line]:
    """The directives of one file; what is none is skipped, as the library does."""
    whole, start = "", 0
    for number, raw in enumerate(text.split("\n"), 1):
        start = start or number
        before, mark, _ = raw.partition("#")
        if whole and not before.strip() and mark:
            continue
        stripped = before.rstrip()
        if not mark and stripped.endswith("\\"):
            whole += stripped[:-1] + " "
            if len(whole) > 8192:
                raise ParseError(f"{path}:{start}: a line without end")
            continue
        made = _line(whole + before, f"{path}:{start}")
        whole, start = "", 0
        if made:
            yield made


def _line(text: str, source: str) -> Line | None:
    words = text.split(None, 1)
    if len(words) < 2:
        return None
    kind = words[0].lower().removeprefix("-")
    if kind == "@include":
        return Line("", "include", words[1].split()[0], (), source)
    if kind not in TYPES:
        return None
    control, *rest = _WORD.findall(words[1])
    if not rest:
        return None
    arguments = tuple(a[1:-1] if a.startswith("[") and a.endswith("]") else a for a in rest[1:])
    if control.lower() in ("include", "substack"):
        return Line(kind, control.lower(), rest[0], arguments, source)
    module = rest[0].rpartition("/")[2].removesuffix(".so")
    return Line(kind, control, module, arguments, source)


def commented(path: str, text: str, module: str) -> str:
    """The place of the first comment that would be a directive with this module, or nothing."""
    for number, raw in enumerate(text.split("\n"), 1):
        body = raw.strip()
        if body.startswith("#"):
            made = _line(body.lstrip("# \t").partition("#")[0], "")
            if made and made.module == module:
                return f"{path}:{number}"
    return ""


class Stacks:
    """The stacks of services. `find` gives a file by name, and raises what it will."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._parsed: dict[str, list[Line]] = {}
        self._count = 0

    def stack(self, service: str, kind: str) -> list[Step]:
        """The steps of one type; of a service that has none, those of `other`."""
        self._count = 0
        return self._file(service, kind, 0, "") or self._file("other", kind, 0, "")

    def _file(self, name: str, kind: str, depth: int, source: str) -> list[Step]:
        if depth > MAX_DEPTH:
            raise ParseError(f"{source}: too many includes")
        steps: list[Step] = []
        for line in self._lines(name):
            if line.type not in ("", kind):
                continue
            self._count += 1
            if self._count > MAX_LINES:
                raise ParseError(f"{line.source}: too many lines")
            if line.control == "include":
                steps += self._file(line.module, kind, depth + 1, line.source)
            elif line.control == "substack":
                steps.append(Substack(self._file(line.module, kind, depth + 1, line.source)))
            else:
                steps.append(line)
        return steps

    def _lines(self, name: str) -> list[Line]:
        if name not in self._parsed:
            found = self._find(name)
            self._parsed[name] = list(lines(*found)) if found else []
        return self._parsed[name]


def flat(steps: list[Step]) -> Iterator[Line]:
    """Every line, those of substacks among them."""
    for step in steps:
        if isinstance(step, Substack):
            yield from flat(step.steps)
        else:
            yield step


def walk(steps: list[Step], answer: Callable[[Line], str]) -> Walk:
    """Run a stack; `answer` is what each module says: success, ignore, auth_err …"""
    state = _State(answer)
    state.run(steps)
    return Walk(state.reached, state.impression == "positive" and state.fine)


class _State:
    def __init__(self, answer: Callable[[Line], str]) -> None:
        self._answer = answer
        self.reached: list[Line] = []
        self.impression = ""
        self.fine = True

    def run(self, steps: list[Step]) -> None:
        before = self.impression, self.fine  # what `reset` goes back to
        position = 0
        while position < len(steps):
            step = steps[position]
            position += 1
            if isinstance(step, Substack):
                self.run(step.steps)
                continue
            self.reached.append(step)
            result = self._answer(step)
            action = step.action(result)
            if action.isdigit():
                position += int(action[:4])
            elif action in ("ok", "done"):
                # an answer that is no success counts as it is, and no later one takes its place
                if self.impression != "negative" and self.fine:
                    self.impression, self.fine = "positive", result == "success"
                if action == "done" and self.impression == "positive":
                    return
            elif action in ("bad", "die"):
                self.impression = "negative"
                if action == "die":
                    return
            elif action == "reset":
                self.impression, self.fine = before
