"""Which commands of a script of a login bash are run: bash(1), SHELL GRAMMAR.

Simple commands one by one, each with whether it is surely run (True), perhaps (None) or never (False) in
an interactive login shell. Only conditions about that (PS1, `$-`, BASH, a terminal, login_shell) are
known, and only where they are the whole condition. What a subshell does is lost with it: never.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import Final, NamedTuple

from collectors.security.identity.shellwords import tokens

Sure = bool | None  # None: perhaps

MAX_TOKENS: Final = 20_000
MAX_DEPTH: Final = 50

_RESERVED: Final = frozenset(
    [
        "if",
        "then",
        "elif",
        "else",
        "fi",
        "while",
        "until",
        "for",
        "select",
        "do",
        "done",
        "case",
        "esac",
        "{",
        "}",
        "!",
        "function",
        "time",
    ]
)
_PIPES: Final = ("|", "|&")
_LEAVES = re.compile(r"(?:return|exit|logout)(?:\s|$)")
_VALUE = r"\"?\$(?:{0}|\{{(?:{0})(?::?-[^}}]*|:?\+[^}}]+)?\}})\"?".format("PS1|BASH|BASH_VERSION")
_TESTS: Final = tuple(
    (re.compile(pattern), value)
    for pattern, value in (
        (rf"(?:-n\s+)?{_VALUE}", True),
        (rf"-z\s+{_VALUE}", False),
        (r"-t\s+[012]", True),
        (r"\"?\$-\"?\s*==?\s*\*i\*", True),
        (r"\"?\$-\"?\s*=~\s*i", True),
        (r"\"?\$-\"?\s*!=\s*\*i\*", False),
        (r"\"?\$\{-#\*i\}\"?\s*!=\s*\"?\$-\"?", True),
        (r"\"?\$\{-#\*i\}\"?\s*==?\s*\"?\$-\"?", False),
        (r"\"?\$BASH\"?\s*!=\s*\"?/bin/sh\"?", True),
        (r"-z\s+\"?\$BASHRCSOURCED\"?", True),  # of the RPM family's /etc/bashrc, the first time
    )
)
_TEST = re.compile(r"(\[\[?|test)\s+(!\s+)?(.*?)(?:\s+\]\]?)?")
_PLAIN = re.compile(r"(?:(?:export|readonly|declare|typeset|local)\s+)?(?:-\w+\s+)*\w+(?:=[^`$]*)?")
_SETS = re.compile(r"(?:(?:export|readonly|declare|typeset)\s|\w+=)")


class Ran(NamedTuple):
    command: str
    sure: Sure
    number: int  # of its line


class Script(NamedTuple):
    """`leaves`: lines at which the script ends, perhaps or surely. `whole`: false where it could not be
    followed to its end; then nothing is sure."""

    commands: list[Ran]
    leaves: list[Ran]
    whole: bool


class _Frame:
    """A construct around commands: whether they are run, taken together with all around it."""

    def __init__(self, kind: str, around: Sure, start: int) -> None:
        self.kind = kind
        self.around = around
        self.state = around
        self.start = start  # the first of its commands
        self.taken: Sure = False  # whether an earlier branch was
        self.word = ""  # of case
        self.patterns: list[str] | None = None  # of case, where they are next


def both(a: Sure, b: Sure) -> Sure:
    if a is False or b is False:
        return False
    return True if a and b else None


def _not(a: Sure) -> Sure:
    return None if a is None else not a


def _either(a: Sure, b: Sure) -> Sure:
    return _not(both(_not(a), _not(b)))


def truth(command: str) -> Sure:
    """How a command ends in an interactive login bash."""
    if command in (":", "true", "shopt -q login_shell"):
        return True
    if command == "false":
        return False
    if test := _TEST.fullmatch(command):
        for pattern, value in _TESTS:
            if pattern.fullmatch(test[3]):
                return value is not bool(test[2])
        return None
    if _PLAIN.fullmatch(command) and _SETS.match(command):
        return True
    return None


_LAST: Final = (("separator", "\n", 0),)


def follow(text: str) -> Script:
    reader = _Reader()
    for count, (kind, said, number) in enumerate(chain(tokens(text), _LAST)):
        if kind == "odd" or count > MAX_TOKENS or len(reader.stack) > MAX_DEPTH:
            reader.whole = False
            break
        reader.token(kind, said, number)
    found = Script(reader.commands, reader.leaves, reader.whole and len(reader.stack) == 1)
    if found.whole:
        return found
    doubtful = [ran._replace(sure=None) for ran in found.commands if ran.sure is not False]
    return found._replace(commands=doubtful)


class _Reader:
    def __init__(self) -> None:
        self.commands: list[Ran] = []
        self.leaves: list[Ran] = []
        self.whole = True
        self.stack = [_Frame("file", True, 0)]
        self._left: Sure = False  # whether the script was left before
        self._status: Sure = True  # of the list so far
        self._before = ";"  # the separator before the command
        self._words: list[str] = []
        self._number = 1
        self._negated = False
        self._function = ""  # "(" after its name, "{" where its body is next
        self._closed = -1  # the first command of the construct that just ended

    def token(self, kind: str, said: str, number: int) -> None:
        top = self.stack[-1]
        if top.patterns is not None:
            self._in_patterns(top, top.patterns, kind, said)
        elif kind == "separator":
            self._separator(said)
        elif not self._words and said in _RESERVED:
            self._reserved(said, number)
        else:
            if not self._words:
                self._number = number
            self._words.append(said)
            if self._words[0] == "case" and said == "in" and len(self._words) == 3:
                frame = self._open("case", None)
                frame.word, frame.patterns = self._words[1], []
                self._words = []
            elif said.endswith("()") and len(self._words) == 1:
                self._words, self._function = [], "{"

    def _in_patterns(self, top: _Frame, patterns: list[str], kind: str, said: str) -> None:
        if kind == "word" and said == "esac" and not patterns:
            top.patterns = None
            self._close("case")
        elif kind == "word":
            patterns.append(said.strip("\"'"))
        elif said == ")":
            matches: Sure = None
            if top.word.strip('"') == "$-":
                matches = True if {"*i*", "*"} & set(patterns) else None
            top.state = both(top.around, both(_not(top.taken), matches))
            top.taken = _either(top.taken, matches)
            top.patterns = None
            self._before = ";"

    def _separator(self, said: str) -> None:
        if said == "(" and self._words:
            self._words, self._function = [], "("
        elif said == "(":
            self._open("(", False)
        elif said == ")" and self._function == "(":
            self._function = "{"
        elif said == ")":
            self._end_command(";")
            self._close("(")
        else:
            self._end_command(said)
            if said in (";;", ";&", ";;&"):
                top = self.stack[-1]
                if top.kind != "case":
                    self.whole = False
                    return
                top.patterns = []
                top.taken = top.taken if said == ";;" else None

    def _reserved(self, word: str, number: int) -> None:
        top = self.stack[-1]
        match word:
            case "if":
                self._open("if", True)
            case "then" | "elif" | "else":
                if top.kind != "if":
                    self.whole = False
                    return
                state = _not(top.taken)
                if word == "then":
                    state = both(state, self._status)
                    top.taken = _either(top.taken, self._status)
                top.state = both(top.around, state)
                self._before = ";"
            case "while" | "until" | "for" | "select":
                self._open("loop", None)
            case "{":
                self._open("function" if self._function else "{", None if self._function else True)
                self._function = ""
            case "}":
                self._end_command(";")
                self._close("{", "function")
            case "fi" | "done" | "esac":
                self._close({"fi": "if", "done": "loop", "esac": "case"}[word])
            case "!":
                self._negated = not self._negated
            case "case":
                self._words, self._number = ["case"], number
            case "function":
                self._words, self._number = ["function"], number

    def _open(self, kind: str, state: Sure) -> _Frame:
        frame = _Frame(kind, self._run(), len(self.commands))
        frame.state = both(frame.around, state)
        self.stack.append(frame)
        self._before, self._negated = ";", False
        return frame

    def _close(self, *kinds: str) -> None:
        if self.stack[-1].kind not in kinds:
            self.whole = False
            return
        self._closed = self.stack.pop().start
        self._status = None

    def _run(self) -> Sure:
        """Whether the next command is run."""
        chained: Sure = True
        if self._before == "&&":
            chained = self._status
        elif self._before == "||":
            chained = _not(self._status)
        elif self._before in _PIPES:
            chained = False
        return both(self.stack[-1].state, both(chained, _not(self._left)))

    def _end_command(self, separator: str) -> None:
        words, self._words = self._words, []
        if words and words[0] == "function":
            self._function = "{"
            return
        lost = separator in (*_PIPES, "&")
        if words:
            self._simple(" ".join(words), lost)
        elif self._closed >= 0:
            if lost:  # a construct in a subshell
                del self.commands[self._closed :]
        elif separator == "\n" and self._before != ";":
            return  # goes on in the next line
        self._closed = -1
        self._negated = False
        self._before = separator if separator in ("&&", "||", *_PIPES) else ";"

    def _simple(self, command: str, lost: bool) -> None:
        run = self._run()
        value = None if lost or self._before in _PIPES else truth(command)
        value = _not(value) if self._negated else value
        if self._before == "&&":
            value = both(self._status, value)
        elif self._before == "||":
            value = _either(self._status, value)
        self._status = value
        ran = Ran(command, False if lost else run, self._number)
        self.commands.append(ran)
        if _LEAVES.match(command) and not any(f.kind == "function" for f in self.stack):
            self.leaves.append(ran)
            self._left = _either(self._left, ran.sure)
