"""What audits are given on the command line: packs, parameters, facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

import click
import msgspec

from agents.errors import UserError
from collectors import strictyaml
from collectors.model import UNAVAILABLE, Fact
from collectors.strictyaml import Document
from rules import pack as packs
from rules.audit import check_params
from rules.model import Pack
from rules.packfile import Read
from rules.settings import AuditSettings

facts_option = click.option(
    "--facts",
    type=click.File("rb"),
    metavar="FILE|-",
    help="JSON of facts by name that are judged instead of those collected; -: standard input.",
)
MAX_FACTS = 64 << 20  # bytes


def load_packs(names: Iterable[str], read: Read = strictyaml.read) -> list[Pack]:
    """The packs by name or file; raises DocumentError, and UserError for two of one name."""
    loaded: dict[str, Pack] = {}
    for name in names:
        pack = packs.load(name, read=read)
        if pack.pack in loaded:
            raise UserError(f"two packs are named {pack.pack!r}")
        loaded[pack.pack] = pack
    if not loaded:
        raise UserError("there is no pack to judge by; name one with --pack")
    return list(loaded.values())


def params_of(
    loaded: Sequence[Pack],
    settings: AuditSettings,
    assignments: Iterable[str],
    strict: bool = False,
) -> Mapping[str, dict[str, Any]]:
    """All parameters by pack: the configuration's, and over them those of --param. `strict` wants
    every pack of the configuration to be loaded. Raises UserError."""
    names = {pack.pack for pack in loaded}
    params = {
        name: dict(values) for name, values in settings.params.items() if strict or name in names
    }
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        pack_name, _, name = key.rpartition(".")
        having = [p.pack for p in loaded if name in p.params and pack_name in ("", p.pack)]
        if not equals or not having:
            known = ", ".join(sorted({name for pack in loaded for name in pack.params}))
            raise UserError(f"--param {assignment}: no such parameter; there are: {known}")
        value = Document(text, f"--param {name}").data
        for pack in having:
            params.setdefault(pack, {})[name] = value
    try:
        return check_params(loaded, params)
    except packs.ParamError as error:
        raise UserError(str(error)) from error


def given(file: BinaryIO) -> dict[str, Fact]:
    """Facts by name out of a JSON object; raises UserError."""
    content = file.read(MAX_FACTS + 1)
    if len(content) > MAX_FACTS:
        raise UserError(f"--facts: more than {MAX_FACTS >> 20} MiB")
    try:
        values = msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(
            f'--facts: {error}; write an object of facts by name, for example {{"lines": []}}'
        ) from error
    known = packs.known_facts()
    for name in values:
        if name not in known:
            raise UserError(f"--facts: no fact {name!r}; there are: {', '.join(sorted(known))}")
    return {name: _fact(name, value) for name, value in values.items()}


def _fact(name: str, value: Any) -> Fact:
    if isinstance(value, dict) and value.keys() == {UNAVAILABLE}:
        return Fact(name, None, unavailable=str(value[UNAVAILABLE]))
    return Fact(name, value)
