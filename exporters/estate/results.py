"""Results of readiness that were made elsewhere: files of JSON lines, a `Readiness` a line.

Format: https://jsonlines.org; what `jianwei ipv6 --json` and `jianwei ipv6 check --json` print.
"""

from __future__ import annotations

import msgspec

from collectors.ipv6.estate.model import LOCAL, Estate
from collectors.link import weburl
from collectors.rowsfile import ENOUGH, RowErrors, nearest
from collectors.sources.ssh.target import SshError, parse_address
from collectors.strictyaml import DocumentError
from exporters.report import jsonlines, plain
from rules.model import Text
from rules.readinessmodel import CheckResult, Evidence, Readiness

MAX_KEPT = 200  # measurements of one check; a report shows the first few

Results = dict[tuple[str, str], Readiness]


class ResultErrors(RowErrors):
    """Everything that is wrong with results, a line each."""


def read(path: str, estate: Estate) -> Results:
    """The results in a file, or in those of a folder, by kind and name of the estate's rows.

    Raises DocumentError, and ResultErrors for results that are broken, of nobody, or twice there.
    """
    reader = _Reader(estate)
    for file in jsonlines.files(path):
        reader.read(file)
    if reader.mistakes:
        raise ResultErrors(path, reader.mistakes)
    return reader.results


def slim(result: Readiness) -> Readiness:
    """The result with its evidence as short as reports show it, however much there was."""
    return msgspec.structs.replace(
        result,
        checks=tuple(map(_slim_check, result.checks)),
        problem=plain.prose(result.problem),
    )


def _slim_check(check: CheckResult) -> CheckResult:
    few = tuple(
        Evidence(
            instance=plain.name(it.instance),
            actual=plain.value(it.actual),
            expected=None if it.expected is None else plain.value(it.expected),
            source=plain.name(it.source),
        )
        for it in check.evidence[:MAX_KEPT]
    )
    reason = Text(plain.prose(check.reason.zh), plain.prose(check.reason.en))
    return msgspec.structs.replace(check, evidence=few, reason=reason)


class _Reader:
    """Results, and all that is wrong, of one file after the other."""

    def __init__(self, estate: Estate) -> None:
        self.results: Results = {}
        self.mistakes: list[DocumentError] = []
        self._where: dict[tuple[str, str], str] = {}
        self._names = {row.name: row.kind for row in estate.rows}
        self._addresses = {row.name: row.target for row in estate.rows}
        self._targets: dict[tuple[str, str], str] = {}
        for row in estate.rows:
            if target := _target(row.kind, row.target):
                self._targets[target] = row.name
        self._decoder = msgspec.json.Decoder(Readiness)

    def read(self, path: str) -> None:
        for number, line in jsonlines.lines(path, self.mistakes):
            try:
                result = self._decoder.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                problem = f"is no result of readiness, one a line: {plain.name(str(error))}"
                self.mistakes.append(DocumentError(path, number, problem))
            else:
                self._take(path, number, result)

    def _take(self, path: str, number: int, result: Readiness) -> None:
        kind, name = result.subject.kind, result.subject.name
        if self._names.get(name) != kind:
            target = _target(kind, result.subject.target)
            known = self._targets.get(target) if target else None
            if known is None:
                self.mistakes.append(DocumentError(path, number, self._unknown(kind, name)))
                return
            name = known
        elif _differ(kind, self._addresses[name], result.subject.target):
            problem = (
                f"is of {plain.name(result.subject.target)}, but {kind} {plain.name(name)!r} of the"
                f" estate is {plain.name(self._addresses[name])}; correct the name or the address"
            )
            self.mistakes.append(DocumentError(path, number, problem))
            return
        if (kind, name) in self.results:
            problem = f"{name!r:.160} is in {self._where[kind, name]} already; leave one out"
            self.mistakes.append(DocumentError(path, number, problem))
            return
        self.results[kind, name] = slim(result)
        self._where[kind, name] = f"{path}:{number}"

    def _unknown(self, kind: str, name: str) -> str:
        problem = f"the estate has no {kind} {plain.name(name)!r}"
        if len(self._names) * len(self.mistakes) < ENOUGH:
            same = {one: 0 for one, its in self._names.items() if its == kind}
            problem += f"; {nearest(name[:200], same)}" if same else ""
        return problem


def _differ(kind: str, one: str, other: str) -> bool:
    """Whether two targets are of different sites or hosts, as far as they say; who logs in to a
    host makes no difference, nor does a port where the other one leaves it open."""
    try:
        if kind == "site":
            return _reached(one) != _reached(other)
        if not (one.startswith("ssh://") and other.startswith("ssh://")):
            return False
        here, there = parse_address(one), parse_address(other)
    except (ValueError, SshError):
        return False
    ports = {address.port for address in (here, there) if address.port}
    return here.host.lower() != there.host.lower() or len(ports) > 1


def _reached(text: str) -> weburl.Url:
    url = weburl.site(text)
    return url._replace(port=url.connects_to)


def _target(kind: str, target: str) -> tuple[str, str] | None:
    """What tells a subject that has another name here; every machine calls itself local."""
    if kind == "host":
        return (kind, target) if target.startswith("ssh://") and target != LOCAL else None
    try:
        return kind, str(weburl.parse(target))
    except ValueError:
        return None
