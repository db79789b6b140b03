"""A receiver of remote write that is strict: 1.0 and 2.0 decoded by the protobuf library, every MUST of the
specifications checked, and told to be absent, slow, busy or choosy.

The messages are described here from the specifications' text, apart from the code that writes them.
"""

from __future__ import annotations

import contextlib
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

Labels = tuple[tuple[str, str], ...]
Samples = dict[Labels, list[tuple[int, bytes]]]

_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "string": _FIELD.TYPE_STRING, "double": _FIELD.TYPE_DOUBLE, "int64": _FIELD.TYPE_INT64,
    "uint32": _FIELD.TYPE_UINT32, "enum": _FIELD.TYPE_INT32,
}  # fmt: skip
V1 = {
    "WriteRequest": {"timeseries": (1, "*TimeSeries")},
    "TimeSeries": {"labels": (1, "*Label"), "samples": (2, "*Sample")},
    "Label": {"name": (1, "string"), "value": (2, "string")},
    "Sample": {"value": (1, "double"), "timestamp": (2, "int64")},
}
V2 = {
    "Request": {"symbols": (4, "*string"), "timeseries": (5, "*TimeSeries")},
    "TimeSeries": {"labels_refs": (1, "*uint32"), "samples": (2, "*Sample"), "metadata": (5, "Metadata")},
    "Sample": {"value": (1, "double"), "timestamp": (2, "int64"), "start_timestamp": (3, "int64")},
    "Metadata": {"type": (1, "enum"), "help_ref": (3, "uint32"), "unit_ref": (4, "uint32")},
}  # fmt: skip


def _message(package: str, described: dict[str, dict[str, tuple[int, str]]], name: str) -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto", package=package, syntax="proto3"
    )
    for message, fields in described.items():
        added = file.message_type.add(name=message)
        for field, (number, kind) in fields.items():
            repeated, kind = kind.startswith("*"), kind.lstrip("*")
            label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
            one = added.field.add(name=field, number=number, label=label)
            if kind in _TYPES:
                one.type = _TYPES[kind]
            else:
                one.type, one.type_name = _FIELD.TYPE_MESSAGE, f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))


WriteRequest = _message("prometheus", V1, "WriteRequest")
Request = _message("io.prometheus.write.v2", V2, "Request")


class Decoded(NamedTuple):
    """`metadata` is of 2.0: type, help and start of a series."""

    samples: Samples
    number: int
    metadata: dict[Labels, tuple[int, str, int]]


def decoded1(raw: bytes) -> Decoded:
    request = WriteRequest.FromString(raw)
    samples: Samples = {}
    count = 0
    for series in request.timeseries:
        labels = tuple((one.name, one.value) for one in series.labels)
        count += _take(samples, labels, series.samples)
    return Decoded(samples, count, {})


def decoded2(raw: bytes) -> Decoded:
    request = Request.FromString(raw)
    symbols = list(request.symbols)
    assert symbols, "no symbols"
    assert symbols[0] == "", "the first symbol is not empty"
    assert len(set(symbols)) == len(symbols), "symbols twice"
    samples: Samples = {}
    metadata: dict[Labels, tuple[int, str, int]] = {}
    count = 0
    for series in request.timeseries:
        refs = [symbols[ref] for ref in series.labels_refs]
        labels = tuple(zip(refs[::2], refs[1::2], strict=True))
        count += _take(samples, labels, series.samples)
        starts = {sample.start_timestamp for sample in series.samples}
        told = series.metadata.type, symbols[series.metadata.help_ref], starts.pop()
        assert not starts
        metadata[labels] = told
    return Decoded(samples, count, metadata)


def _take(into: Samples, labels: Labels, samples: Any) -> int:
    names = [name for name, _ in labels]
    assert names == sorted(set(names)), f"labels unsorted or twice: {labels}"
    assert "__name__" in names, f"no name: {labels}"
    assert all(name and value for name, value in labels), f"an empty label: {labels}"
    assert samples, f"no sample: {labels}"
    found = into.setdefault(labels, [])
    for one in samples:
        found.append((one.timestamp, struct.pack("<d", one.value)))
    times = [time for time, _ in found]
    assert times == sorted(times), f"samples out of order: {labels}"
    return len(samples)


class Asked(NamedTuple):
    headers: dict[str, str]
    body: bytes


def raw_of(asked: Asked) -> bytes:
    """The message in a request."""
    return bytes(cramjam.snappy.decompress_raw(asked.body))


Rule = Callable[["Receiver", Asked], "tuple[int, dict[str, str]] | None"]


class Receiver:
    """`rule` may answer a request instead, before anything is taken. `samples` is what was taken, in order of arrival;
    `problems` what was against a specification."""

    def __init__(self, speaks: frozenset[int]) -> None:
        self.speaks = speaks
        self.rule: Rule | None = None
        self.after: Rule | None = None  # the same, when it was taken
        self.samples: Samples = {}
        self.metadata: dict[Labels, tuple[int, str, int]] = {}
        self.asked: list[Asked] = []
        self.problems: list[str] = []
        self.url = ""
        self.lock = threading.Lock()

    def answer(self, asked: Asked) -> tuple[int, dict[str, str]]:
        self.asked.append(asked)
        if self.rule and (said := self.rule(self, asked)):
            return said
        headers = asked.headers
        content, version = headers["content-type"], headers["x-prometheus-remote-write-version"]
        second = content == "application/x-protobuf;proto=io.prometheus.write.v2.Request"
        if headers["content-encoding"] != "snappy" or not headers["user-agent"]:
            self.problems.append(f"headers: {headers}")
        if (version, second) not in (("2.0.0", True), ("0.1.0", False)):
            self.problems.append(f"{content} is of version {version}")
        if (2 if second else 1) not in self.speaks:
            return 415, {}
        raw = raw_of(asked)
        try:
            found = decoded2(raw) if second else decoded1(raw)
        except (AssertionError, IndexError, ValueError) as error:
            self.problems.append(str(error))
            return 400, {}
        for labels, samples in found.samples.items():
            self.samples.setdefault(labels, []).extend(samples)
        self.metadata.update(found.metadata)
        if self.after and (said := self.after(self, asked)):
            return said
        written = {"Samples": found.number, "Histograms": 0, "Exemplars": 0}
        told = {f"X-Prometheus-Remote-Write-{k}-Written": str(v) for k, v in written.items()}
        return 204, told if second else {}


@contextlib.contextmanager
def receiver(*speaks: int, port: int = 0) -> Iterator[Receiver]:
    """One that runs, on loopback."""
    made = Receiver(frozenset(speaks or (1, 2)))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked = Asked({name.lower(): value for name, value in self.headers.items()}, body)
            with made.lock:
                status, headers = made.answer(asked)
            if not status:  # it died before it said anything
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_port}/api/v1/write"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
