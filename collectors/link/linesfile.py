"""Reads a file of lines, YAML or CSV, and tells every mistake in it at once, with line numbers."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from collectors import strictyaml
from collectors.csvtable import Table
from collectors.link import linescsv
from collectors.link.devices import Device
from collectors.link.linecheck import Checked
from collectors.link.lines import LEVELS, MODULES, Line, Lines, Units
from collectors.rowsfile import MAX_SHOWN, RowErrors, rows_of, teller
from collectors.strictyaml import Document, DocumentError, hint

KEYS: Final = ("units", "devices", "modules_file", "lines")


class _Devices(msgspec.Struct, frozen=True):
    devices: dict[str, Device]


class LineErrors(RowErrors):
    """Everything that is wrong with a file of lines."""


def load(path: str, modules: Mapping[str, str] = MODULES) -> Lines:
    """The lines in a file; `modules` are names with their probers. Raises LineErrors, and
    DocumentError where it cannot be read at all."""
    return parse(strictyaml.read(path), path, modules)


def is_lines(content: bytes, path: str) -> bool:
    """Whether a document is a file of lines and no configuration."""
    if path.endswith((".csv", ".tsv")):
        return True
    if re.search(rb"(?m)^([\"']?)lines\1[ \t]*:", content):
        return True
    return not path.endswith((".yaml", ".yml")) and linescsv.looks_like_csv(content)


def parse(content: bytes, path: str, modules: Mapping[str, str] = MODULES) -> Lines:
    """The lines in `content`: YAML by the name of its file or its key `lines`, else CSV."""
    named = path.endswith((".csv", ".tsv")), path.endswith((".yaml", ".yml"))
    if named[0] or (not named[1] and linescsv.looks_like_csv(content)):
        return _of_table(linescsv.parse(content, path), modules)
    return _of_document(content, path, modules)


def _of_table(table: Table, modules: Mapping[str, str]) -> Lines:
    if not {"name", "targets"} <= table.heads.keys():
        raise LineErrors(table.path, table.mistakes)  # every row would lack them
    checked = Checked(table.rows, table.tell, modules)
    mistakes = [*table.mistakes, *checked.mistakes]
    checked.warnings += [
        table.tell(number, "interface", "is not asked for: only a YAML file has devices")
        for number, _ in checked.devices
    ]
    if not table.rows:
        mistakes.append(DocumentError(table.path, None, "there is no line below the heads"))
    return _finished(table.path, Lines(modules=modules), checked, mistakes)


def _of_document(content: bytes, path: str, modules: Mapping[str, str]) -> Lines:
    mistakes: list[DocumentError] = []
    document = Document(content, path, mistakes)
    if not isinstance(document.data, dict):
        raise document.error((), "expected a mapping with the key lines")
    data = document.data
    for key in data:
        if key not in KEYS:
            mistakes.append(document.error((key,), f"unknown key; {hint(key, list(KEYS))}"))
    whole = Lines(units=_units(document, mistakes), modules=modules)
    whole = msgspec.structs.replace(whole, devices=_devices(document, mistakes))
    if data.get("modules_file") is not None:
        whole = _with_modules(document, whole, mistakes)
    example = "{name: …, targets: […]}"
    rows = rows_of(document, "lines", "line", example, mistakes)
    tell = teller(document, "lines", [number for number, _ in rows])
    checked = Checked([row for _, row in rows], tell, whole.modules)
    mistakes += checked.mistakes
    mistakes += [
        tell(number, "interface", f"there is no device {name!r}: name it in devices")
        for number, name in checked.devices
        if name not in (data.get("devices") or ())
    ]
    mistakes += _too_few_units(document, whole.units, checked.lines)
    return _finished(path, whole, checked, mistakes)


def _finished(
    path: str, whole: Lines, checked: Checked, mistakes: Sequence[DocumentError]
) -> Lines:
    if mistakes:
        raise LineErrors(path, mistakes)
    warnings = [str(warning) for warning in checked.warnings[:MAX_SHOWN]]
    if more := len(checked.warnings) - len(warnings):
        warnings.append(f"{path}: and {more} more")
    return msgspec.structs.replace(whole, lines=tuple(checked.lines), warnings=tuple(warnings))


def _devices(document: Document, mistakes: list[DocumentError]) -> dict[str, Device]:
    given = document.data.get("devices") or {}
    if not isinstance(given, dict):
        mistakes.append(document.error(("devices",), "expected a mapping of names to devices"))
        return {}
    right: dict[str, Device] = {}
    part = copy.copy(document)  # knows the lines of all, and is asked for one at a time
    for name, device in given.items():
        part.data = {"devices": {name: device}}
        try:
            right[name] = part.convert(_Devices).devices[name]
        except DocumentError as error:
            mistakes.append(error)
    return right


def _units(document: Document, mistakes: list[DocumentError]) -> Units:
    given = document.data.get("units")
    if given is None:
        return Units()
    if not isinstance(given, dict):
        mistakes.append(document.error(("units",), "expected a mapping of levels to numbers"))
        return Units()
    right: dict[str, Any] = {}
    for level, number in given.items():
        if level not in LEVELS:
            problem = f"unknown key; {hint(level, list(LEVELS))}"
            mistakes.append(document.error(("units", level), problem))
        elif not isinstance(number, int) or isinstance(number, bool) or number < 0:
            problem = f"{number!r:.60} is not a number of units"
            mistakes.append(document.error(("units", level), problem))
        else:
            right[level] = number
    return Units(**right)


def _too_few_units(document: Document, units: Units, lines: Sequence[Line]) -> list[DocumentError]:
    """There cannot be fewer units to connect than there are sites with a line."""
    sites: dict[str, set[str]] = {}
    for line in lines:
        sites.setdefault(line.level or "", set()).add(line.site)
    return [
        document.error(("units", level), f"is {number}, and there are lines to {has} sites")
        for level in LEVELS
        if (number := getattr(units, level)) is not None
        and number < (has := len(sites.get(level, ())))
    ]


def _with_modules(document: Document, whole: Lines, mistakes: list[DocumentError]) -> Lines:
    """Names and probers of a modules file, whose own mistakes are told where it is used."""
    name = document.data["modules_file"]
    if not isinstance(name, str) or not name:
        mistakes.append(document.error(("modules_file",), f"{name!r:.60} is no path"))
        return whole
    path = os.path.join(os.path.dirname(os.path.abspath(document.path)), os.path.expanduser(name))
    try:
        modules = Document(strictyaml.read(path), path).data.get("modules")
    except (DocumentError, AttributeError) as error:
        mistakes.append(document.error(("modules_file",), str(error)))
        return whole
    if not isinstance(modules, dict):
        mistakes.append(document.error(("modules_file",), f"{path} has no mapping 'modules'"))
        return whole
    probers = {
        module: str(settings.get("prober", "")) if isinstance(settings, dict) else ""
        for module, settings in modules.items()
    }
    return msgspec.structs.replace(whole, modules_file=path, modules={**whole.modules, **probers})
