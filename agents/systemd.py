"""Tells systemd that the service is ready: sd_notify(3), a datagram to $NOTIFY_SOCKET."""

from __future__ import annotations

import contextlib
import os
import socket


def tell_ready() -> None:
    """Say READY=1, if this is a service of Type=notify. A reload then waits for it."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        abstract = address.replace("@", "\0", 1) if address.startswith("@") else address
        with (
            contextlib.suppress(OSError),  # nobody listens: the service goes on all the same
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
        ):
            notify.sendto(b"READY=1", abstract)
