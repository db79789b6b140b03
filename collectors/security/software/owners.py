"""Which package a file is of: dpkg-query(1), rpm(8)."""

from __future__ import annotations

from collections.abc import Sequence

from collectors.model import Answers, Command, NeedMore

_RPM_ANY = tuple(range(256))  # it counts what it did not find

Owners = dict[str, str | None]  # a path's package: empty for none, None where nobody can tell


def packages_of(
    paths: Sequence[str], database: str, answers: Answers, exact: bool = False
) -> Owners:
    """The package of each path. rpm prints a line for each, and one more for a file that two
    packages have: `exact` asks for one path at a time, which takes longer."""
    if not paths or not database:
        return dict.fromkeys(paths)
    if database == "dpkg":
        return _of_dpkg(paths, answers)
    if exact:
        return _of_rpm([[path] for path in paths], answers)
    return _of_rpm([list(paths)], answers)


def _of_dpkg(paths: Sequence[str], answers: Answers) -> Owners:
    # a package may have been made before /bin became /usr/bin, and a unit may be named by /lib
    names = {path: (path, path.removeprefix("/usr"), f"/usr{path}") for path in paths}
    patterns = sorted({_literal(name) for forms in names.values() for name in forms})
    command = Command(("dpkg-query", "-S", *patterns), timeout=60.0, ok=(0, 1))
    owners: dict[str, str] = {}
    if answers.answer(command).state != "content":
        return dict.fromkeys(paths)
    for line in answers.text(command).split("\n"):
        package, colon, path = line.partition(": ")
        if colon and not package.startswith("diversion by "):
            owners[path] = package.partition(",")[0].partition(":")[0]
    return {
        path: next((owners[name] for name in forms if name in owners), "")
        for path, forms in names.items()
    }


def _of_rpm(lots: Sequence[Sequence[str]], answers: Answers) -> Owners:
    asked = [
        Command(("rpm", "-qf", "--qf", "%{NAME}\\n", *lot), timeout=30.0, ok=_RPM_ANY)
        for lot in lots
    ]
    if missing := [command for command in asked if not answers.asked(command)]:
        raise NeedMore(*missing)
    found: Owners = {}
    for lot, command in zip(lots, asked, strict=True):
        lines: list[str] = []
        if answers.answer(command).state == "content":
            lines = answers.text(command).strip("\n").split("\n")
        # the words for a file of nobody have spaces, a package's name has none
        told = ["" if " " in line else line.strip() for line in lines]
        if len(lot) == 1 and told:
            found[lot[0]] = told[0]
        else:
            known = len(told) == len(lot)
            found |= dict(zip(lot, told, strict=True)) if known else dict.fromkeys(lot)
    return found


def _literal(path: str) -> str:
    """A path as a pattern of dpkg-query that matches nothing else."""
    return "".join(f"\\{c}" if c in "*?[\\" else c for c in path)
