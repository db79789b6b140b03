"""NFS clients: /proc/self/mountstats (kernel fs/nfs/super.c and net/sunrpc/stats.c; nfsiostat(8)).

A block begins `device EXPORT mounted on POINT with fstype nfs4 statvers=1.1` and has lines `age:`,
`events:`, `bytes:`, `xprt:` (one a connection) and, after `per-op statistics`, one line for each
operation. Mounts of one export share their figures and are shown once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, NamedTuple

from collectors.model import Answers, Collector, Family, File, Kind, Labels, Sample, malformed

MOUNTSTATS = File("/proc/self/mountstats", limit=16 << 20)
MS = 0.001


class Column(NamedTuple):
    name: str
    help: str
    factor: float = 1
    kind: Kind = "counter"


def _event(name: str) -> Column:
    return Column(f"event_{name}_total", f"Events on the mount: {name.replace('_', ' ')}.")


AGE = Column("age_seconds_total", "Time since it was mounted.")
BYTES = (
    Column("read_bytes_total", "Bytes read by read()."),
    Column("write_bytes_total", "Bytes written by write()."),
    Column("direct_read_bytes_total", "Bytes read with O_DIRECT."),
    Column("direct_write_bytes_total", "Bytes written with O_DIRECT."),
    Column("total_read_bytes_total", "Bytes read from the server."),
    Column("total_write_bytes_total", "Bytes written to the server."),
    Column("read_pages_total", "Pages read for mapped files."),
    Column("write_pages_total", "Pages written for mapped files."),
)
_BEFORE = (
    *("inode_revalidate", "dnode_revalidate", "data_invalidate", "attribute_invalidate"),
    *("vfs_open", "vfs_lookup", "vfs_access", "vfs_update_page", "vfs_read_page"),
    *("vfs_read_pages", "vfs_write_page", "vfs_write_pages", "vfs_getdents", "vfs_setattr"),
    *("vfs_flush", "vfs_fsync", "vfs_lock", "vfs_file_release"),
)
_AFTER = (
    *("truncation", "write_extension", "silly_rename", "short_read", "short_write"),
    *("jukebox_delay", "pnfs_read", "pnfs_write"),
)
# between them is congestion_wait, which the kernel no longer counts
EVENTS = (*map(_event, _BEFORE), None, *map(_event, _AFTER))
OPERATIONS = (
    Column("operations_requests_total", "Requests."),
    Column("operations_transmissions_total", "Transmissions of requests."),
    Column("operations_major_timeouts_total", "Requests that ran into a major timeout."),
    Column("operations_sent_bytes_total", "Bytes sent, with headers."),
    Column("operations_received_bytes_total", "Bytes received, with headers."),
    Column("operations_queue_time_seconds_total", "Time until requests were sent.", MS),
    Column("operations_response_time_seconds_total", "Time from sending to the answer.", MS),
    Column("operations_request_time_seconds_total", "Time of requests from begin to end.", MS),
)
_TCP = (
    None,  # port
    Column("transport_bind_total", "Times a connection was made from nothing."),
    Column("transport_connect_total", "Times the client has connected."),
    None,  # time spent connecting, in jiffies
    Column("transport_idle_time_seconds", "Time since the last traffic.", kind="gauge"),
    Column("transport_sends_total", "Requests sent."),
    Column("transport_receives_total", "Answers received."),
    Column("transport_bad_transaction_ids_total", "Answers that belong to no request."),
    None,  # requests under way, summed up at each send
    Column("transport_backlog_queue_total", "Sum of the requests without a slot at each send."),
    Column("transport_maximum_rpc_slots", "Most requests ever under way.", kind="gauge"),
    Column("transport_sending_queue_total", "Sum of the requests to be sent at each send."),
    Column("transport_pending_queue_total", "Sum of the requests unanswered at each send."),
)
TRANSPORTS = {
    "tcp": _TCP,
    "udp": (*_TCP[:2], *_TCP[5:]),  # it does not connect
    "rdma": _TCP[:10],  # what follows is its own
}


class MountstatsCollector(Collector, frozen=True):
    """Traffic, waiting times, events and connections of NFS mounts; many series, off by default."""

    name: ClassVar[str] = "mountstats"

    def readings(self) -> tuple[File]:
        return (MOUNTSTATS,)

    def parse(self, answers: Answers) -> Iterable[Family]:
        families: dict[Column, list[Sample]] = {}
        shown: set[Labels] = set()
        with malformed("/proc/self/mountstats"):
            for export, lines in _nfs(answers.text(MOUNTSTATS)):
                about, operations = _halves(lines)
                labels = _labels(export, about)
                if labels not in shown:
                    shown.add(labels)
                    for column, sample in _series(labels, about, operations):
                        families.setdefault(column, []).append(sample)
        for (name, help_, _, kind), samples in families.items():
            yield Family(f"node_mountstats_nfs_{name}", kind, help_, samples)


Line = tuple[str, list[str]]  # what is before the colon, and the fields after it


def _nfs(text: str) -> Iterator[tuple[str, list[Line]]]:
    """Export and lines of each NFS mount."""
    for block in f"\n{text}".split("\ndevice ")[1:]:
        head, *lines = block.split("\n")
        if head.rpartition(" with fstype ")[2].startswith("nfs"):
            parts = (line.strip().partition(":") for line in lines if line)
            yield head.partition(" mounted on ")[0], [(key, rest.split()) for key, _, rest in parts]


def _halves(lines: Sequence[Line]) -> tuple[list[Line], list[Line]]:
    """Lines about the mount, and lines of its operations."""
    middle = next((n for n, (key, _) in enumerate(lines) if key.startswith("per-op")), len(lines))
    return list(lines[:middle]), list(lines[middle + 1 :])


def _labels(export: str, about: Sequence[Line]) -> Labels:
    first = dict(reversed(about))
    options = " ".join(first.get("opts", [])).split(",")
    address = next((o.partition("=")[2] for o in options if o.startswith("mountaddr=")), "")
    protocol = first.get("xprt", [""])[0]
    return ("export", export), ("mountaddr", address), ("protocol", protocol)


def _series(
    labels: Labels, about: Sequence[Line], operations: Sequence[Line]
) -> Iterator[tuple[Column, Sample]]:
    for key, columns in (("age", (AGE,)), ("bytes", BYTES), ("events", EVENTS)):
        fields = next((fields for name, fields in about if name == key), [])
        for column, value in _columns(columns, fields):
            yield column, Sample(labels, value)
    connections = [fields for name, fields in about if name == "xprt" and fields]
    for column, value in _together(connections).items():
        yield column, Sample(labels, value)
    for operation, fields in operations:
        for column, value in _columns(OPERATIONS, fields):
            yield column, Sample((*labels, ("operation", operation)), value)


def _columns(
    columns: Sequence[Column | None], fields: Sequence[str]
) -> Iterator[tuple[Column, float]]:
    for column, field in zip(columns, fields, strict=False):
        if column:
            yield column, float(field) * column.factor


def _together(connections: Sequence[Sequence[str]]) -> Mapping[Column, float]:
    """Figures of all connections of a mount (option nconnect): sums, longest idle, most slots."""
    figures: dict[Column, float] = {}
    for kind, *fields in connections:
        for column, value in _columns(TRANSPORTS.get(kind, ()), fields):
            if column.kind == "gauge":
                figures[column] = max(figures.get(column, value), value)
            else:
                figures[column] = figures.get(column, 0) + value
    return figures
