"""docs/console.md: its example of the configuration has every key, shows the defaults, and loads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from msgspec import inspect

from collectors.strictyaml import Document
from exporters.console import settings as consolesettings
from exporters.console.settings import ConsoleSettings

_PAGE: Final = Path(__file__).parents[2] / "docs/console.md"


@pytest.fixture
def text() -> str:
    found = re.search(
        r"```yaml\n(# /etc/jianwei-console/console\.yaml.*?)```", _PAGE.read_text(), re.DOTALL
    )
    assert found
    return found[1]


@pytest.fixture
def loaded(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConsoleSettings:
    """With the secrets that it names."""
    for tag, name in re.findall(r"!(env|file) ([\w.]+)", text):
        value = "https://hook.example/robot" if name.lower().endswith("url") else "s3cret"
        if tag == "env":
            monkeypatch.setenv(name, value)
        else:
            (tmp_path / name).write_text(value)
    path = tmp_path / "console.yaml"
    path.write_text(text)
    return consolesettings.load(str(path))


def test_every_key_is_in_it(text: str) -> None:
    written: dict[type, set[str]] = {}
    _collect(inspect.type_info(ConsoleSettings), [Document(text, _PAGE.name).data], written)
    assert len(written) > 10
    for kind, keys in written.items():
        assert keys == {one.encode_name for one in msgspec.structs.fields(kind)}, kind


def test_it_loads_and_shows_the_defaults(loaded: ConsoleSettings, tmp_path: Path) -> None:
    assert loaded.web_config == str(tmp_path / "web.yml")
    structs = list(_structs(loaded))
    for kind in {type(one) for one in structs}:
        shown = [one for one in structs if type(one) is kind]
        for field in msgspec.structs.fields(kind):
            default = field.default
            if default in (msgspec.NODEFAULT, None, "", ()) or isinstance(default, msgspec.Struct):
                continue
            assert any(getattr(one, field.name) == default for one in shown), (kind, field.name)


def _collect(info: Any, values: Sequence[Any], found: dict[type, set[str]]) -> None:
    """The keys that are written of each struct, wherever it is; of one that is nowhere, none."""
    match info:
        case inspect.StructType():
            found.setdefault(info.cls, set()).update(*values)
            for field in info.fields:
                name = field.encode_name
                _collect(field.type, [one[name] for one in values if name in one], found)
        case inspect.DictType():
            _collect(info.value_type, [one for some in values for one in some.values()], found)
        case inspect.VarTupleType():
            _collect(info.item_type, [one for some in values for one in some], found)
        case inspect.UnionType():
            for one in info.types:
                _collect(one, values, found)


def _structs(value: Any) -> Iterator[msgspec.Struct]:
    """A struct and those in it."""
    if isinstance(value, msgspec.Struct):
        yield value
        yield from _structs([getattr(value, name) for name in value.__struct_fields__])
    elif isinstance(value, Mapping):
        yield from _structs(list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _structs(one)


def test_documents_that_are_named_are_there() -> None:
    root = _PAGE.parents[1]
    named = {
        (str(path.relative_to(root)), name)
        for folder in ("exporters/console", "agents/cli", "agents/demo", "deploy")
        for path in (root / folder).rglob("*")
        if path.suffix in (".py", ".j2", ".css", ".js", ".service", ".timer", ".yaml")
        for name in re.findall(r"\bdocs/[\w/-]+\.(?:md|json)", path.read_text())
    }
    assert named
    assert [one for one in sorted(named) if not (root / one[1]).is_file()] == []
