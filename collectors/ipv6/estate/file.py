"""Reads a file of the estate, YAML or CSV, and tells every mistake in it at once, with its line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from collectors import csvtable, rowsfile, strictyaml
from collectors.csvtable import Heads, Row, Table
from collectors.ipv6.estate.check import Checked
from collectors.ipv6.estate.model import Estate, EstateRow
from collectors.rowsfile import LEVEL_WORDS, RowErrors, rows_of, teller
from collectors.strictyaml import Document, DocumentError, hint

KEY = "subjects"
HOSTS_KEY = "hosts"  # of an inventory, where all rows are hosts
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "name": ("名称", "站点", "站点名称", "网站名称", "系统", "系统名称", "主机名称", "主机名"),
    "kind": ("类型", "类别", "种类", "type"),
    "department": ("部门", "单位", "单位名称", "主管部门", "主管单位", "主办单位"),
    "level": ("级别", "层级", "单位级别", "行政级别"),
    "url": ("网址", "域名", "链接", "站点地址", "网站地址"),
    "host": ("主机", "主机地址", "服务器", "服务器地址"),
    "hosts": ("后端主机", "承载主机", "所在主机", "部署主机"),
    "owner": ("负责人", "联系人", "责任人", "管理员"),
}
VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "kind": {
        **dict.fromkeys(("网站", "站点", "门户", "Site", "SITE"), "site"),
        **dict.fromkeys(("主机", "服务器", "Host", "HOST", "server"), "host"),
    },
    "level": LEVEL_WORDS,
}
_HEADS: Final = Heads(COLUMNS, ("name", "kind"))
HOST_HEADS: Final = Heads(COLUMNS, ("name", "host"))
_EXAMPLE = "{name: …, kind: site, url: …}"
_HOST_EXAMPLE = "{name: …, host: ssh://…}"


class EstateErrors(RowErrors):
    """Everything that is wrong with a file of the estate."""


def load(path: str) -> Estate:
    """The estate in a file. Raises EstateErrors, and DocumentError where it cannot be read."""
    return parse(strictyaml.read(path), path)


def hosts(path: str) -> tuple[EstateRow, ...]:
    """The hosts of an inventory: a file of the estate, or one of hosts alone (`hosts: [{name: …,
    host: ssh://…}]`, or CSV without a kind). Raises as `load`."""
    estate = parse(strictyaml.read(path), path, only_hosts=True)
    found = tuple(row for row in estate.rows if row.kind == "host")
    if not found:
        raise DocumentError(path, None, "there is no host in it")
    return found


def parse(content: bytes, path: str, only_hosts: bool = False) -> Estate:
    """The estate in `content`: YAML or CSV by the name of its file, else by its first row. With
    `only_hosts` a row needs no kind, and is a host."""
    heads = HOST_HEADS if only_hosts else _HEADS
    named = path.endswith((".csv", ".tsv")), path.endswith((".yaml", ".yml"))
    if named[0] or (not named[1] and csvtable.looks_like(content, heads)):
        return _of_table(csvtable.parse(content, path, heads, _row), heads, only_hosts)
    return _of_document(content, path, only_hosts)


def _row(given: Row) -> Row:
    return {**given, "hosts": csvtable.listed(given["hosts"])} if "hosts" in given else given


def _of_table(table: Table, heads: Heads, only_hosts: bool) -> Estate:
    if not table.heads.keys() >= set(heads.required):
        raise EstateErrors(table.path, table.mistakes)  # every row would lack them
    checked = Checked([_translated(row, only_hosts) for row in table.rows], table.tell)
    mistakes = [*table.mistakes, *checked.mistakes]
    if not table.rows:
        mistakes.append(DocumentError(table.path, None, "there is no subject below the heads"))
    return _finished(table.path, checked, mistakes)


def _of_document(content: bytes, path: str, only_hosts: bool) -> Estate:
    mistakes: list[DocumentError] = []
    document = Document(content, path, mistakes)
    known = HOSTS_KEY if only_hosts and KEY not in document.data else KEY
    if not isinstance(document.data, dict):
        raise document.error((), f"expected a mapping with the key {known}")
    for key in document.data:
        if key != known:
            mistakes.append(document.error((key,), f"unknown key; {hint(key, [known])}"))
    one, example = ("host", _HOST_EXAMPLE) if known == HOSTS_KEY else ("subject", _EXAMPLE)
    rows = rows_of(document, known, one, example, mistakes)
    tell = teller(document, known, [number for number, _ in rows])
    implied = only_hosts and known == HOSTS_KEY
    checked = Checked([_translated(row, implied) for _, row in rows], tell)
    return _finished(path, checked, [*mistakes, *checked.mistakes])


def _translated(row: Row, only_hosts: bool) -> Row:
    if only_hosts:
        row = {"kind": "host", **row}
    row = rowsfile.translated(row, VALUES)
    place: Any = row.get("host")
    if isinstance(place, dict) and place.keys() == {"recorded"}:  # unquoted in YAML
        return {**row, "host": f"recorded: {place['recorded']}"}
    return row


def _finished(path: str, checked: Checked, mistakes: list[DocumentError]) -> Estate:
    if mistakes:
        raise EstateErrors(path, mistakes)
    folder = os.path.dirname(os.path.abspath(path))
    return Estate(path, tuple(_located(row, folder) for row in checked.rows))


def _located(row: EstateRow, folder: str) -> EstateRow:
    """A recording's folder is relative to the file that names it."""
    recorded = row.asked.recorded if row.kind == "host" else None
    if recorded is None:
        return row
    where = os.path.normpath(os.path.join(folder, os.path.expanduser(recorded)))
    return msgspec.structs.replace(row, host=f"recorded: {where}")
