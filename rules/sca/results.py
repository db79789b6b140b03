"""How one rule of a policy comes out on a host, found or not, and what shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from collectors.model import Answer, Answers, Inventory, NeedMore, ParseError, Reading
from collectors.rows import Process
from rules.sca.grammar import Pattern, Rule
from rules.sca.lines import Content, Line, look
from rules.sca.places import MAX_FILES, Missing, Places, Unseen, command, secret
from rules.sca.regex import Semantics, Unjudged

# missing: there is nothing to look at, which Wazuh calls not applicable. unseen: it could not be looked at.
State = Literal["found", "not_found", "missing", "unseen"]
PROCESSES = Inventory("processes")
_TURNED: dict[State, State] = {"found": "not_found", "not_found": "found"}


class RuleResult(NamedTuple):
    """`line` shows it, or came nearest; `reason` says it in words."""

    state: State
    reason: str = ""
    line: Line | None = None


class Options(NamedTuple):
    """`commands` is empty where commands of the policy may be run, else why not. `remote`: the host is not
    this machine."""

    semantics: Semantics = 5
    commands: str = "commands of a policy are run only with --allow-commands"
    remote: bool = False


def result(rule: Rule, answers: Mapping[Reading, Answer], options: Options) -> RuleResult:
    """How a rule comes out; raises NeedMore for what nobody has asked yet."""
    if rule.problem:
        return RuleResult("unseen", rule.problem)
    looking = _Looking(rule, Answers(answers), options)
    try:
        found = looking.result()
    except Missing as error:
        return RuleResult("missing", str(error))
    except (Unseen, Unjudged, ParseError) as error:
        return RuleResult("unseen", str(error))
    if rule.negated:
        return found._replace(state=_TURNED[found.state])
    return found


class _Looking:
    """One rule; every method raises NeedMore, Missing, Unseen, Unjudged or ParseError."""

    def __init__(self, rule: Rule, answers: Answers, options: Options) -> None:
        self._rule, self._answers, self._options = rule, answers, options
        self._places = Places(answers, options.remote)

    def result(self) -> RuleResult:
        match self._rule.kind:
            case "f":
                return self._files()
            case "d":
                return self._directories()
            case "c":
                return self._command()
            case "p":
                return self._process()
        raise Unseen("there is no registry")

    def _files(self) -> RuleResult:
        rule = self._rule
        if rule.pattern is None:
            return self._there("file")
        return self._within(rule.pattern, list(rule.targets))

    def _there(self, kind: str) -> RuleResult:
        """Whether one of the targets is there and of that kind."""
        unseen = ""
        wanted: list[Reading] = []
        for path in self._rule.targets:
            try:
                if self._places.kind(path) == kind:
                    return RuleResult("found", f"{path} is there", Line("", path))
            except NeedMore as error:
                wanted += error.readings
            except Unseen as error:
                unseen = unseen or str(error)
        if wanted:
            raise NeedMore(*wanted)
        if unseen:
            raise Unseen(unseen)
        return RuleResult("not_found", f"there is no {kind} {' or '.join(self._rule.targets)}")

    def _within(self, pattern: Pattern, paths: list[str], unseen: str = "") -> RuleResult:
        """Look for a pattern in files of which some are perhaps not there. `unseen` says why there may be
        more of them."""
        contents: list[Content] = []
        missing = ""
        wanted: list[Reading] = []
        for path in paths:
            try:
                contents.append(self._places.content(path))
            except NeedMore as error:
                wanted += error.readings
            except Missing as error:
                missing = missing or str(error)
            except Unseen as error:
                unseen = unseen or str(error)
        if wanted:
            raise NeedMore(*wanted)
        looked = look(pattern, contents, self._options.semantics)
        forbids = pattern.forbids and self._options.semantics == 5
        decided = looked.line is not None if forbids else looked.found
        if unseen and not decided:
            raise Unseen(unseen)
        if missing and not contents:
            raise Missing(missing)
        where = ", ".join(content.source for content in contents[:3]) or "no file"
        return self._told(looked.found, looked.line, where)

    def _told(self, found: bool, line: Line | None, where: str) -> RuleResult:
        if found:
            reason = f"found in {line.source if line else where}"
            return RuleResult("found", reason, line or Line("", where))
        if line and self._rule.pattern and self._rule.pattern.forbids:
            return RuleResult("not_found", f"{line.source} has what no line may have", line)
        return RuleResult("not_found", f"not found in {where}", line or Line("", where))

    def _directories(self) -> RuleResult:
        rule = self._rule
        if rule.names is None:
            return self._there("directory")
        found: list[str] = []
        missing = unseen = ""
        wanted: list[Reading] = []
        for folder in rule.targets:
            try:
                rows, why = self._places.files(folder)
            except NeedMore as error:
                wanted += error.readings
            except Missing as error:
                missing = missing or str(error)
            except Unseen as error:
                unseen = unseen or str(error)
            else:
                unseen = unseen or why
                found += (row.path for row in rows if self._named(row.path))
        if wanted:
            raise NeedMore(*wanted)
        where = ", ".join(rule.targets)
        if not found:
            if unseen:
                raise Unseen(unseen)
            if missing:
                raise Missing(missing)
            return RuleResult("not_found", f"no file of that name in {where}", Line("", where))
        if rule.pattern is None:
            return RuleResult("found", f"{found[0]} is there", Line("", found[0]))
        if len(found) > MAX_FILES:
            unseen = f"{where} has more than {MAX_FILES} files of that name"
        return self._within(rule.pattern, found[:MAX_FILES], unseen)

    def _named(self, path: str) -> bool:
        name = path.rpartition("/")[2].encode("utf-8", "surrogateescape")
        return bool(self._rule.names and self._rule.names.matches(name))

    def _command(self) -> RuleResult:
        rule, options = self._rule, self._options
        if options.commands:
            raise Unseen(options.commands)
        shown = " ".join(rule.targets)
        if options.remote:
            raise Unseen("commands of a policy are not run over the network")
        answer = self._answers.answer(command(rule.targets))
        if answer.state != "content":
            raise Unseen(f"{shown[:100]}: {answer.reason or answer.state}")
        if rule.pattern is None:
            return RuleResult("found", "the command was run", Line("", shown))
        content = Content(shown, answer.content.strip(b"\n"), _tells_secrets(rule.targets))
        looked = look(rule.pattern, [content], options.semantics)
        return self._told(looked.found, looked.line, f"the output of {shown[:100]}")

    def _process(self) -> RuleResult:
        if self._rule.pattern is None:
            raise Unseen("no process is named")
        if any("/" in term.text for term in self._rule.pattern.terms):
            raise Unseen("it is about the path of a process; only names are read")
        answer = self._answers.answer(PROCESSES)
        if answer.state != "content":
            raise Unseen(f"processes: {answer.reason or answer.state}")
        rows = self._answers.rows(PROCESSES, Process)
        if not rows:
            raise Unseen("no process could be seen")
        names = (row.name.replace("\n", "?").encode("utf-8", "replace") for row in rows)
        content = Content("processes", b"\n".join(names))
        # each process is one to look at: found if one of them passes, in 4.x and in 5.x
        looked = look(self._rule.pattern, [content], 4)
        if not looked.found and all(row.pid != 1 for row in rows):
            raise Unseen("processes of others could not be seen")  # as with hidepid, see proc(5)
        line = looked.line and looked.line._replace(source=f"process {looked.line.text}")
        return self._told(looked.found, line, "processes")


def _tells_secrets(argv: tuple[str, ...]) -> bool:
    """Whether a command's output may hold secrets: of files with secrets, all but their modes."""
    return argv[0].rpartition("/")[2] not in ("stat", "ls") and secret(" ".join(argv))
