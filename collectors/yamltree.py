"""A YAML 1.1 document as plain data that knows the line of each of its parts.

Made from the parser's events, one at a time, since a tree of nodes takes 40 times the document's
size: a list of ten thousand lines is read in half a second and a few megabytes.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from typing import Any, Final

import yaml

Path = tuple[str | int, ...]
Reference = Callable[[str, str], Any]

MAX_PARTS = 1_000_000  # an alias bomb expands to more

_TAG = "tag:yaml.org,2002:"
_SCALARS: Final = ("null", "bool", "int", "float", "binary", "timestamp", "str")
_CONSTRUCTORS = {_TAG + kind: yaml.SafeLoader.yaml_constructors[_TAG + kind] for kind in _SCALARS}
_COLLECTIONS = {yaml.SequenceStartEvent: _TAG + "seq", yaml.MappingStartEvent: _TAG + "map"}
_BLANK = yaml.SafeLoader("")  # constructors are its methods; it keeps nothing


class Malformed(Exception):
    """What a document may not have, at a line."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line, self.problem = line, problem


class Tree:
    """`data` of one document, `None` of an empty one, with lines.

    A scalar with a tag of `references` is what its function makes of tag and text. Raises
    Malformed, and yaml.YAMLError for what is no YAML. With `tolerate`, mistakes that leave the rest
    of the document as it is (a key written twice) go there instead.
    """

    def __init__(
        self,
        content: bytes | str,
        references: Mapping[str, Reference],
        tolerate: list[Malformed] | None = None,
    ) -> None:
        self._events = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(content)
        self._references, self._tolerate = references, tolerate
        self._lines: dict[int, array[int]] = {}  # of the items of each collection, by its id
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._parts = 0
        self._where: list[str | int] = []
        self._first: int | None = None
        try:
            self.data = self._document()
        finally:
            self._events.dispose()

    def line(self, path: Path) -> int | None:
        """The line of a part, or of the nearest part around it."""
        part, line = self.data, self._first
        for key in path:
            lines = self._lines.get(id(part))
            if lines is None or not isinstance(part, (dict, list)):
                break
            if isinstance(part, dict):
                index = list(part).index(key) if key in part else -1
            else:
                index = key if isinstance(key, int) and key < len(part) else -1
            if index < 0:
                break
            line, part = lines[index], part[key]  # type: ignore[index]  # key is of its kind
        return line

    def _document(self) -> Any:
        next_event = self._events.get_event
        next_event()  # the stream begins
        if isinstance(next_event(), yaml.StreamEndEvent):
            return None
        event = next_event()
        self._first = event.start_mark.line + 1
        data = self._part(event)
        next_event()  # the document ends
        if not isinstance(event := next_event(), yaml.StreamEndEvent):
            raise Malformed(event.start_mark.line + 1, "a second document begins; one is expected")
        return data

    def _part(self, event: Any) -> Any:
        before = self._parts
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise self._wrong(event, "has too many parts (aliases that multiply?)", named=False)
        kind = type(event)
        if kind is yaml.ScalarEvent:
            data = self._scalar(event)
        elif kind is yaml.AliasEvent:
            return self._alias(event)
        else:
            if event.tag not in (None, "!", _COLLECTIONS[kind]):
                raise self._wrong(event, f"unknown tag {event.tag}")
            data = self._sequence() if kind is yaml.SequenceStartEvent else self._mapping()
        if event.anchor is not None:
            self._anchors[event.anchor] = data, self._parts - before
        return data

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise self._wrong(event, f"there is no anchor &{event.anchor} before")
        data, size = self._anchors[event.anchor]
        self._parts += size
        return data

    def _sequence(self) -> list[Any]:
        items: list[Any] = []
        lines = array("L")
        where = self._where
        while not isinstance(event := self._events.get_event(), yaml.SequenceEndEvent):
            lines.append(event.start_mark.line + 1)
            where.append(len(items))
            items.append(self._part(event))
            where.pop()
        self._lines[id(items)] = lines
        return items

    def _mapping(self) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        lines = array("L")
        where = self._where
        while not isinstance(event := self._events.get_event(), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            if type(event) is not yaml.ScalarEvent:
                raise self._wrong(event, "a key must be plain text", named=False)
            key = event.value
            self._parts += 1
            twice = key in mapping
            if twice:
                self._tell(self._wrong(event, f"the key {key!r} is written twice", named=False))
            where.append(key)
            value = self._part(self._events.get_event())
            where.pop()
            if not twice:
                lines.append(line)
                mapping[key] = value
        self._lines[id(mapping)] = lines
        return mapping

    def _scalar(self, event: Any) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            if not event.implicit[0]:
                return event.value
            tag = self._events.resolve(yaml.ScalarNode, event.value, event.implicit)
            if tag == _TAG + "str":
                return event.value
        if tag in self._references:
            return self._references[tag](tag, event.value)
        if tag not in _CONSTRUCTORS:
            raise self._wrong(event, f"unknown tag {tag}")
        node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
        try:
            return _CONSTRUCTORS[tag](_BLANK, node)
        except (yaml.YAMLError, ValueError, KeyError) as error:
            problem = str(getattr(error, "problem", None) or error)
            if tag == _TAG + "timestamp":
                problem = (
                    f"{event.value!r} looks like a date but is none ({error}); put it in quotes"
                )
            self._tell(self._wrong(event, problem))
            return event.value

    def _tell(self, mistake: Malformed) -> None:
        if self._tolerate is None:
            raise mistake
        self._tolerate.append(mistake)

    def _wrong(self, event: Any, problem: str, named: bool = True) -> Malformed:
        if named:
            problem = f"{dotted(tuple(self._where))}: {problem}"
        return Malformed(event.start_mark.line + 1, problem)


def dotted(path: Path) -> str:
    """`("rules", 2, "id")` as `rules[2].id`."""
    text = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)
    return text.lstrip(".") or "document"
