"""Processes, systemd's units and NFS mounts on literal bytes."""

from __future__ import annotations

import pytest

from collectors.host.mountstats import MOUNTSTATS, MountstatsCollector
from collectors.host.processes import MAX_PROCESSES, MAX_THREADS, PROCESSES, ProcessesCollector
from collectors.host.systemd import SHOW, SystemdCollector
from collectors.model import Answer, ParseError, Unavailable
from collectors.rows import Process
from tests.collectors.literal import parse, values

ABSENT = Answer("absent", reason="no such file")
EINVAL = Answer("failed", reason="Invalid argument")


def test_processes_and_threads_by_state() -> None:
    rows = [
        Process(1, "a", "S", 2, "SS"),
        Process(2, "b", "R", 1, "R"),
        Process(3, "c", "Z", 1, "Z"),
    ]
    got = parse(ProcessesCollector(), {PROCESSES: rows, MAX_PROCESSES: "99\n", MAX_THREADS: "77\n"})
    assert {
        name.removeprefix("node_processes_"): values(family) for name, family in got.items()
    } == {
        "pids": {(): 3},
        "threads": {(): 4},
        "state": {("R",): 1, ("S",): 1, ("Z",): 1},
        "threads_state": {("R",): 1, ("S",): 2, ("Z",): 1},
        "max_processes": {(): 99},
        "max_threads": {(): 77},
    }


UNITS = r"""
Type=notify
Id=ssh.service
LoadState=loaded
ActiveState=active

Id=systemd-fsck@dev-disk-by\x2duuid-7A1C.service
LoadState=not-found
ActiveState=inactive

NConnections=1
NAccepted=7
NRefused=2
Id=sshd.socket
LoadState=loaded
ActiveState=active

Id=-.mount
LoadState=loaded
ActiveState=active

Type=oneshot
Id=backup.service
LoadState=loaded
ActiveState=failed
"""


def test_units_by_state() -> None:
    got = parse(SystemdCollector(), {SHOW: UNITS})
    assert values(got["node_systemd_units"]) == {
        ("active",): 3,
        ("failed",): 1,
        ("inactive",): 1,
        ("activating",): 0,
        ("deactivating",): 0,
    }
    states = values(got["node_systemd_unit_state"])
    assert {labels for labels, value in states.items() if value} == {
        ("ssh.service", "active", "notify"),
        ("sshd.socket", "active", ""),
        ("backup.service", "failed", "oneshot"),
    }
    assert len(states) == 15
    assert values(got["node_systemd_socket_accepted_connections_total"]) == {("sshd.socket",): 7}
    assert values(got["node_systemd_socket_current_connections"]) == {("sshd.socket",): 1}
    assert values(got["node_systemd_socket_refused_connections_total"]) == {("sshd.socket",): 2}


def test_no_units_is_an_error_and_no_systemd_is_unavailable() -> None:
    with pytest.raises(ParseError):
        parse(SystemdCollector(), {SHOW: "\n"})
    with pytest.raises(Unavailable):
        parse(SystemdCollector(), {SHOW: ABSENT})


NFS = """\
device /dev/sda1 mounted on / with fstype ext4
device nas:/a b mounted on /mnt/a with fstype nfs4 statvers=1.1
\topts:\trw,vers=3,mountaddr=10.0.0.5,mountproto=udp
\tage:\t60
\tevents:\t1 2 3
\tbytes:\t10 20 30 40 50 60 70 80
\txprt:\ttcp 900 1 2 0 30 100 99 1 500 6 7 8 9
\txprt:\ttcp 901 1 2 0 10 200 199 1 500 6 5 8 9
\tper-op statistics
\t        READ: 5 6 1 700 800 1000 2000 3500 0
\t      LOOKUP: 1 1 0 70 80 0 1 1
device nas:/a b mounted on /mnt/again with fstype nfs4 statvers=1.1
\topts:\trw,mountaddr=10.0.0.5
\tage:\t60
\txprt:\ttcp 900 1 2 0 30 100 99 1 500 6 7 8 9
device old:/b mounted on /mnt/b with fstype nfs statvers=1.1
\tage:\t5
\txprt:\tudp 900 1 100 99 1 500 6 7 8 9
"""


def test_nfs_mounts() -> None:
    got = parse(MountstatsCollector(), {MOUNTSTATS: NFS})
    got = {name.removeprefix("node_mountstats_nfs_"): family for name, family in got.items()}
    a, b = ("nas:/a b", "10.0.0.5", "tcp"), ("old:/b", "", "udp")
    assert values(got["age_seconds_total"]) == {a: 60, b: 5}
    assert values(got["total_write_bytes_total"]) == {a: 60}
    assert values(got["event_data_invalidate_total"]) == {a: 3}
    assert values(got["transport_sends_total"]) == {a: 300, b: 100}
    assert values(got["transport_idle_time_seconds"]) == {a: 30}
    assert values(got["transport_maximum_rpc_slots"]) == {a: 7, b: 7}
    assert values(got["transport_backlog_queue_total"]) == {a: 12, b: 6}
    assert values(got["operations_request_time_seconds_total"]) == {
        (*a, "READ"): 3.5,
        (*a, "LOOKUP"): 0.001,
    }
    assert got["transport_maximum_rpc_slots"].kind == "gauge"
