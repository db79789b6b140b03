"""docs/report-schema.md: the keys of the report's JSON and the columns of its CSV files, made from the code."""

from __future__ import annotations

from typing import Any, Final

from exporters.report.columns import Column
from exporters.report.jsonform import VERSION
from exporters.report.tables import DIGITS, TABLES

HEAD: Final = f"""# The report as JSON and as CSV

Written by `make golden` from the code; a test compares them.

## JSON

`report.schema.json` (JSON Schema 2020-12) is beside this page; `schema_version` is {VERSION}, and becomes another number when a key
changes its meaning or goes. Every key is always there but those of a `Reason`: `null` is *not known* or *not given*, never 0. Times are ISO 8601 with
the offset of the site's zone; amounts are virtual CPUs and bytes, percent is 0 to 100, money is in the currency of the price
table. The same document gives the same bytes. `data_hash` is of all that figures were computed from, `thresholds` of what
they were judged by. In an excerpt `scope.department` is the department's name (empty: what is unassigned).

"""
CSV: Final = """
## CSV

RFC 4180, UTF-8 with a byte order mark, heads in the language of the report; the `key` below is for reference. An empty cell is
*not known*. Numbers have no thousands and are in the unit of their head; percent is 0 to 100, days are ISO 8601, times are of the
clock of the site. A text that a spreadsheet would take for a formula begins with an apostrophe. Of a part that the report
has not there is no file.
"""
KINDS: Final = {
    "text": "text",
    "long": "text",
    "count": "whole number",
    "amount": "number",
    "percent": "percent",
    "precise": "percent",
    "points": "number",
    "hours": "number",
    "money": "money",
    "date": "day",
    "moment": "time",
}


def document(schema: dict[str, Any]) -> str:
    return HEAD + _keys(schema) + CSV + "".join(map(_table, TABLES))


def _keys(schema: dict[str, Any]) -> str:
    lines = ["| key | is |\n|---|---|\n"]
    for name, said in schema["$defs"]["Document"]["properties"].items():
        lines.append(f"| `{name}` | {_is(said)} |\n")
    return "".join(lines)


def _is(said: dict[str, Any]) -> str:
    if "const" in said:
        return str(said["const"])
    if "anyOf" in said:
        return " or ".join(_is(it) for it in said["anyOf"])
    if "items" in said:
        return f"list of {_is(said['items'])}"
    if "$ref" in said:
        return f"`{said['$ref'].rsplit('/', 1)[1]}`"
    return str(said["type"])


def _table(table: Any) -> str:
    lines = [f"\n### {table.key}.csv ({table.title.zh})\n\nA row is {table.about}.\n\n"]
    lines.append("| key | head | 表头 | kind |\n|---|---|---|---|\n")
    lines += [_column(it) for it in table.columns]
    return "".join(lines)


def _column(column: Column[Any]) -> str:
    kind, digits = KINDS[column.kind], DIGITS.get(column.kind)
    kind += f", up to {digits} digits" if digits else ""
    return f"| `{column.key}` | {column.head('en')} | {column.head('zh')} | {kind} |\n"
