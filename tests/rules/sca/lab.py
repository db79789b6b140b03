"""Small machines for SCA policies: a recording out of a few lines, and a policy judged on it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from collectors.model import Reading, Source
from collectors.sources.recorded import RecordedSource
from rules.model import PackResult, Verdict
from rules.sca.evaluate import Judging
from rules.sca.policy import Policy, parse
from rules.sca.regex import Semantics
from rules.sca.results import Options

FULL = Options(commands="")


def machine(
    folder: Path,
    files: Mapping[str, str] | None = None,
    denied: Sequence[str] = (),
    folders: Sequence[str] = (),
    links: Mapping[str, str] | None = None,
    commands: Mapping[str, str] | None = None,
    processes: Sequence[str] = (),
) -> RecordedSource:
    """A recording in which everything else is absent."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "asked.json").write_text('["*"]')
    stats: dict[str, dict[str, Any]] = {}

    def stat(path: str, kind: str, **more: Any) -> None:
        stats[path] = {"path": path, "kind": kind, "mode": 0o644, "uid": 0, "gid": 0, **more}
        above = path.rpartition("/")[0]
        if above and above not in stats:
            stat(above, "directory")

    for path, text in (files or {}).items():
        target = folder / "root" / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode("utf-8", "surrogateescape"))
        stat(path, "file")
    for path in denied:
        stat(path, "file")
    for path in folders:
        stat(path, "directory")
    for path, where in (links or {}).items():
        stat(path, "link", target=where)
    (folder / "stats.json").write_text(json.dumps(list(stats.values())))
    (folder / "exceptions.json").write_text(
        json.dumps([{"path": p, "state": "denied", "reason": "permission denied"} for p in denied])
    )
    rows = []
    for number, (command, output) in enumerate((commands or {}).items()):
        (folder / "commands").mkdir(exist_ok=True)
        (folder / f"commands/{number}.out").write_text(output)
        argv = shlex.split(command)
        rows.append({"argv": argv, "state": "content", "file": f"commands/{number}.out"})
    (folder / "commands.json").write_text(json.dumps(rows))
    (folder / "inventories").mkdir(exist_ok=True)
    (folder / "inventories/processes.json").write_text(
        json.dumps(
            [
                {"pid": n, "name": it, "state": "S", "threads": 1}
                for n, it in enumerate(processes, 1)
            ]
        )
    )
    return RecordedSource(folder)


def document(rules: Sequence[str], condition: str = "all", engine: str = "", **more: Any) -> str:
    """A policy of one check, as JSON, which is YAML."""
    about = {"id": "t", "name": "Test", **({"regex_type": engine} if engine else {})}
    check = {"id": 1, "title": "One", "condition": condition, "rules": list(rules)}
    return (
        "policy:\n  "
        + json.dumps(about)
        + "\n"
        + "".join(
            f"{key}:\n  {json.dumps(value)}\n" for key, value in {**more, "checks": [check]}.items()
        )
    )


def judged(
    policy: Policy, source: Source, options: Options = FULL
) -> tuple[PackResult, list[list[Reading]]]:
    """The result, and what was read in each round."""
    judging = Judging(policy, options._replace(semantics=policy.semantics))
    answers: dict[Reading, Any] = {}
    rounds: list[list[Reading]] = []
    while wanted := judging.wants(answers):
        assert len(rounds) < 12
        rounds.append(wanted)
        answers.update(source.answer(wanted))
    return judging.result("host"), rounds


def verdict(
    source: Source,
    rules: Sequence[str],
    semantics: Semantics = 5,
    options: Options = FULL,
    condition: str = "all",
    engine: str = "pcre2",
    **more: Any,
) -> Verdict:
    """How one check of such rules comes out."""
    policy = parse(document(rules, condition, engine, **more), "t.yml", semantics)
    return judged(policy, source, options)[0].verdicts[0]
