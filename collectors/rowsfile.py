"""Rows that people write in YAML or CSV become structs, and every mistake in them is told at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from collectors.csvtable import Row
from collectors.strictyaml import Document, DocumentError, decode

S = TypeVar("S", bound=msgspec.Struct)

Problem = tuple[str, str]  # key, what is wrong
Tell = Callable[[int, str, str], DocumentError]  # row, key (or empty), what is wrong
MAX_SHOWN = 100  # mistakes
ENOUGH = 100_000  # names to compare while looking for the nearest: about two seconds

# Levels of government in Chinese, as they stand in inventories.
LEVEL_WORDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("省", "省级", "省直"), "province"),
    **dict.fromkeys(("市", "市级", "地市", "市直"), "city"),
    **dict.fromkeys(("县", "县级", "区县", "区", "县区"), "county"),
    **dict.fromkeys(("乡镇", "乡", "镇", "街道", "乡镇街道", "乡镇级"), "town"),
    **dict.fromkeys(("村", "社区", "行政村", "村社区", "村级"), "village"),
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class RowErrors(DocumentError):
    """Everything that is wrong with a file, a line each; of very many the first hundred."""

    def __init__(self, path: str, mistakes: Sequence[DocumentError]) -> None:
        ordered = sorted(mistakes, key=lambda it: (it.path != path, it.path, it.line or 0))
        shown = [str(mistake) for mistake in ordered[:MAX_SHOWN]]
        if more := len(ordered) - len(shown):
            shown.append(f"{path}: and {more} more")
        Exception.__init__(self, "\n".join(shown))
        self.path, self.line = path, ordered[0].line
        self.problem = ordered[0].problem
        self.mistakes = tuple(ordered)


def rows_of(
    document: Document, key: str, one: str, example: str, mistakes: list[DocumentError]
) -> list[tuple[int, Row]]:
    """The mappings in a document's list `key` of what is called `one`, with their indexes."""
    found = document.data.get(key)
    if not isinstance(found, list) or not found:
        what = f"there is no {one}" if found in (None, []) else f"expected a list of {one}s"
        mistakes.append(document.error((key,), what))
        return []
    rows = []
    for number, row in enumerate(found):
        if isinstance(row, dict):
            rows.append((number, row))
        else:
            mistakes.append(document.error((key, number), f"expected a mapping such as {example}"))
    return rows


def teller(document: Document, key: str, numbers: Sequence[int]) -> Tell:
    """What tells mistakes in the rows that `rows_of` has found."""

    def tell(row: int, name: str, problem: str) -> DocumentError:
        number = numbers[row]
        line = document.line((key, number, *re.split(r"[.\[]", name)[:1]))
        dotted = f"{key}[{number}]" + (f".{name}" if name else "")
        return DocumentError(document.path, line, f"{dotted}: {problem}")

    return tell


def translated(row: Row, values: Mapping[str, Mapping[str, str]]) -> Row:
    """The row with values in other words as those that we know."""
    for key, words in values.items():
        value = row.get(key)
        if isinstance(value, str) and value in words:
            row = {**row, key: words[value]}
    return row


def converted(
    row: Row,
    as_type: type[S],
    stand_ins: Row,
    explained: Callable[[str, Any, str], Problem],
) -> tuple[S, list[Problem]]:
    """The row as a struct, and everything that is wrong with its keys and types.

    What is wrong is left out, so that the rest can be checked all the same; `stand_ins` are the
    keys that must be there, and what stands for them where they are wrong.
    """
    try:
        return msgspec.convert(row, as_type, strict=False, dec_hook=decode), []
    except msgspec.ValidationError:
        right, problems = dict(stand_ins), []
    fields = {field.name: field.type for field in msgspec.structs.fields(as_type)}
    for key, value in row.items():
        if key not in fields:
            problems.append((key, f"unknown key; {nearest(key, fields)}"))
            continue
        try:
            msgspec.convert(value, fields[key], strict=False, dec_hook=decode)
        except msgspec.ValidationError as error:
            problems.append(explained(key, value, str(error)))
        else:
            right[key] = value
    problems += [(key, "is missing") for key in stand_ins if key not in row]
    return msgspec.convert(right, as_type, strict=False, dec_hook=decode), problems


def explained(key: str, value: Any, message: str, choices: Mapping[str, Sequence[str]]) -> Problem:
    """msgspec's words in ours; a part of the value is named behind the key."""
    problem, _, where = message.partition(" - at `$")
    key += where.rstrip("`")
    if match := re.match(r"Invalid enum value '(.*)'", problem, re.DOTALL):
        valid = choices[key.partition("[")[0]]
        return key, f"{match[1]!r:.60} is not one of: {', '.join(valid)}"
    if "of length >= 1" in problem:
        return key, "is empty"
    if match := re.search(r"of length <= (\d+)", problem):
        return key, f"is longer than {match[1]} {'entries' if 'array' in problem else 'characters'}"
    if problem.startswith("Expected") and problem.endswith("got `null`"):
        return key, "is empty; write a value or leave the key out"
    for theirs, ours in (("`", ""), ("Expected", "expected"), ("object", "mapping")):
        problem = problem.replace(theirs, ours)
    problem = problem.replace("array", "list").replace("str", "text")
    problem = problem.replace(" | null", "")
    if "expected text" in problem:
        problem += f"; put it in quotes: {str(value)!r:.60}"
    return key, problem


def text_problem(text: str) -> str:
    """What is wrong with a name or a word, which people see in one line."""
    if _CONTROL.search(text):
        return f"{text!r:.60} has a control character"
    return f"{text!r:.60} begins or ends with a space" if text != text.strip() else ""


def nearest(name: str, valid: Mapping[str, Any]) -> str:
    import difflib  # for mistakes alone

    near = difflib.get_close_matches(name, valid, 1)
    if near:
        return f"did you mean {near[0]!r}?"
    few = ", ".join(list(valid)[:20])
    return f"there are: {few}" + (" …" if len(valid) > 20 else "")
