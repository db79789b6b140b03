"""Reads an inventory of hosts, YAML or CSV, and tells every mistake in it at once, with file, line and key.

    defaults: {user: deploy, key_file: keys/deploy, sudo: true, region: 金平区}
    groups:
      finance: {department: 财政局, jump: jump@198.51.100.4}
    import: hosts.csv
    hosts:
      - {name: "vm-[001:120]", host: "ssh://10.0.1.[1:120]", groups: [finance]}

Paths are relative to the file that names them. docs/fleet-inventory.md is for people who write one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from agents.fleet.inventoryrow import (
    KEYS,
    LISTS,
    HostRow,
    Values,
    host_of,
    listed,
    name_problem,
    values_of,
)
from collectors import csvtable, strictyaml
from collectors.csvtable import Heads, Row
from collectors.rowsfile import RowErrors, rows_of
from collectors.strictyaml import Document, DocumentError, SecretReference, hint

TOP: Final = ("defaults", "groups", "import", "hosts")
MAX_IMPORTS: Final = 100
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "name": ("名称", "主机名称", "主机名"),
    "host": ("主机", "地址", "主机地址", "服务器", "服务器地址", "address", "ip", "ip地址"),
    "groups": ("组", "分组", "主机组", "group"),
    "user": ("用户", "用户名", "登录用户"),
    "port": ("端口", "ssh端口"),
    "jump": ("跳板机", "跳板", "堡垒机"),
    "key_file": ("密钥", "密钥文件", "私钥"),
    "key_passphrase": ("密钥口令",),
    "password": ("密码", "口令"),
    "known_hosts": ("已知主机",),
    "sudo": ("提权",),
    "sudo_password": ("提权密码", "提权口令"),
    "config": ("配置", "配置文件"),
    "variables": ("变量",),
    "agent": ("代理", "代理地址", "采集地址"),
    "scheme": ("协议",),
    "department": (
        "部门",
        "单位",
        "单位名称",
        "所属部门",
        "所属单位",
        "主管部门",
        "主管单位",
        "主办单位",
    ),
    "system": ("系统", "系统名称", "业务系统", "信息系统"),
    "region": ("区域", "地区", "行政区划"),
    "level": ("级别", "层级", "单位级别", "行政级别"),
    "owner": ("负责人", "联系人", "责任人", "管理员"),
    "labels": ("标签",),
    "remark": ("备注", "说明", "remarks", "note", "notes", "comment"),  # for people alone
}
HEADS: Final = Heads(COLUMNS, ("name", "host"))
_PATHS: Final = ("key_file", "config", "config_file")
_EXAMPLE: Final = "{name: …, host: ssh://…}"

Tell = Callable[[str, str], DocumentError]  # key (or empty), what is wrong


class Layer(NamedTuple):
    """What is written in one place, by key, paths made absolute; `tell` makes a mistake of that place."""

    values: dict[str, Any]
    tell: Tell


class WrittenHost(NamedTuple):
    """One row; of the keys in `wrong` it has a stand-in, and they are told already."""

    row: HostRow
    layer: Layer
    wrong: frozenset[str]


class Written(NamedTuple):
    """An inventory as it stands in its files. `groups` is None where any name may be a group."""

    path: str
    files: tuple[str, ...]
    defaults: Layer
    groups: dict[str, Layer] | None
    hosts: list[WrittenHost]
    mistakes: list[DocumentError]


class InventoryErrors(RowErrors):
    """Everything that is wrong with an inventory."""


def is_table(content: bytes, path: str) -> bool:
    """Whether it is CSV: by the name of its file, else by its first row."""
    if path.endswith((".csv", ".tsv")):
        return True
    return not path.endswith((".yaml", ".yml")) and csvtable.looks_like(content, HEADS)


def read(path: str) -> Written:
    """Raises DocumentError where it cannot be read at all; all else that is wrong is in `mistakes`."""
    content = strictyaml.read(path)
    mistakes: list[DocumentError] = []
    if is_table(content, path):
        nothing = Layer({}, lambda key, problem: DocumentError(path, None, f"{key}: {problem}"))
        hosts = list(_of_table(content, path, mistakes))
        return Written(path, (path,), nothing, None, hosts, mistakes)
    document = Document(content, path, mistakes)
    if not isinstance(document.data, dict):
        raise document.error((), "expected a mapping with the key hosts")
    for key in document.data:
        if key not in TOP:
            mistakes.append(document.error((key,), f"unknown key; {hint(key, list(TOP))}"))
    defaults = _values(document, ("defaults",), mistakes)
    groups = _groups(document, mistakes)
    imported = _imports(document, mistakes)
    hosts = list(_of_document(document, bool(imported), mistakes))
    for one in imported:
        try:
            hosts += _of_table(strictyaml.read(one), one, mistakes)
        except RowErrors as errors:
            mistakes += errors.mistakes
        except DocumentError as error:
            mistakes.append(error)
    return Written(path, (path, *imported), defaults, groups, hosts, mistakes)


def _of_document(
    document: Document, imported: bool, mistakes: list[DocumentError]
) -> Iterable[WrittenHost]:
    if imported and document.data.get("hosts") in (None, []):
        return
    folder = _folder(document.path)
    for number, row in rows_of(document, "hosts", "host", _EXAMPLE, mistakes):
        yield _host(row, _teller(document, ("hosts", number)), folder, mistakes)


def _of_table(content: bytes, path: str, mistakes: list[DocumentError]) -> Iterable[WrittenHost]:
    folder = _folder(path)
    table = csvtable.parse(content, path, HEADS, lambda given: _row(given, folder))
    mistakes += table.mistakes
    if not table.heads.keys() >= set(HEADS.required):
        return  # every row would lack them
    if not table.rows:
        mistakes.append(DocumentError(path, None, "there is no host below the heads"))
    for number, row in enumerate(table.rows):

        def tell(key: str, problem: str, number: int = number) -> DocumentError:
            return table.tell(number, key, problem)

        yield _host(row, tell, folder, mistakes)


def _row(given: Row, folder: str) -> Row:
    row: Row = {}
    for key, cell in given.items():
        if key == "remark":
            continue
        if key == "groups" or key in LISTS:
            row[key] = csvtable.listed(cell)
        elif key in ("labels", "variables"):
            row[key] = _pairs(cell)
        elif isinstance(cell, str) and cell.startswith("!"):
            row[key] = SecretReference.written(cell, folder)
        else:
            row[key] = cell
    return row


def _pairs(cell: str) -> dict[str, str] | str:
    """`tier=gold; rack=a`; what is none is left as it is, and told."""
    parts = [part.strip() for part in re.split("[;；]", cell) if part.strip()]
    pairs = [part.partition("=") for part in parts]
    if not all(equals for _, equals, _ in pairs):
        return cell
    return {name.strip(): value.strip() for name, _, value in pairs}


def _host(
    row: Mapping[str, Any], tell: Tell, folder: str, mistakes: list[DocumentError]
) -> WrittenHost:
    one, problems = host_of(row)
    mistakes += [tell(key, problem) for key, problem in problems]
    wrong = frozenset(key for key, _ in problems)
    return WrittenHost(one, Layer(_said(one, folder), tell), wrong)


def _values(document: Document, path: strictyaml.Path, mistakes: list[DocumentError]) -> Layer:
    given: Any = document.data
    for key in path:
        given = (given or {}).get(key)
    tell = _teller(document, path)
    if given is not None and not isinstance(given, dict):
        mistakes.append(tell("", "expected a mapping of keys to values"))
        given = None
    folder = _folder(document.path)
    values, problems = values_of(given or {})
    mistakes += [tell(key, problem) for key, problem in problems]
    return Layer(_said(values, folder), tell)


def _groups(document: Document, mistakes: list[DocumentError]) -> dict[str, Layer] | None:
    given = document.data.get("groups")
    if given is None:
        return None
    if not isinstance(given, dict):
        mistakes.append(document.error(("groups",), "expected a mapping of names to values"))
        return None
    for name in given:
        problem = "is every host; choose another name" if name == "all" else name_problem(name)
        if problem:
            mistakes.append(document.error(("groups", name), problem))
    return {name: _values(document, ("groups", name), mistakes) for name in given}


def _imports(document: Document, mistakes: list[DocumentError]) -> tuple[str, ...]:
    given = document.data.get("import")
    if given is None:
        return ()
    files = [given] if isinstance(given, str) else given
    if not isinstance(files, list) or not all(isinstance(it, str) and it for it in files):
        mistakes.append(document.error(("import",), "expected a CSV file, or a list of them"))
        return ()
    if len(files) > MAX_IMPORTS:
        mistakes.append(document.error(("import",), f"names more than {MAX_IMPORTS} files"))
        return ()
    right = [it for it in files if it.endswith((".csv", ".tsv"))]
    mistakes += [
        document.error(("import",), f"{it!r:.160} is no CSV file: .csv or .tsv is imported")
        for it in files
        if it not in right
    ]
    folder = _folder(document.path)
    return tuple(dict.fromkeys(_located(it, folder) for it in right))


def _teller(document: Document, path: strictyaml.Path) -> Tell:
    def tell(key: str, problem: str) -> DocumentError:
        parts = [
            int(it) if re.fullmatch("[0-9]{1,6}", it) else it
            for it in re.split(r"[.\[\]]+", key)
            if it
        ]
        dotted = strictyaml.dotted(path) + (f".{key}" if key else "")
        return DocumentError(document.path, document.line((*path, *parts)), f"{dotted}: {problem}")

    return tell


def _said(values: Values, folder: str) -> dict[str, Any]:
    """What is said at all."""
    said = {key: value for key in KEYS if (value := getattr(values, key)) is not None}
    for key in _PATHS:
        if said.get(key):
            said[key] = _located(said[key], folder)
    if "known_hosts" in said:
        said["known_hosts"] = tuple(_located(it, folder) for it in listed(said["known_hosts"]))
    return said


def _located(path: str, folder: str) -> str:
    return os.path.normpath(os.path.join(folder, os.path.expanduser(path)))


def _folder(path: str) -> str:
    return os.path.dirname(os.path.abspath(path))
