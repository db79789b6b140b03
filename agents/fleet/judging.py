"""Judging in children: the engine runs in native code, which only the kernel can end, and what one host
makes too dear must cost that host alone.

A lane is a process that is started before there are threads, with the packs compiled. It has a child
that judges, under the limits, which count nothing of what others do; when the child has died, or judged
so many hosts that its memory should leave, the lane forks another.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import logging
import os
import pickle
import queue
import resource
import signal
import threading
from collections.abc import Mapping
from datetime import datetime
from multiprocessing.connection import Connection, Pipe
from types import TracebackType
from typing import NamedTuple, NoReturn

from agents.errors import UserError
from agents.limits import bounded
from collectors.model import Fact
from rules.audit import Auditor
from rules.model import AuditResult

log = logging.getLogger(__name__)

OF_A_CHILD = 20  # hosts: the engine keeps some memory for each
ENDED = "judging was ended before it was done"


class _Process(NamedTuple):
    pid: int
    connection: Connection


class Judges:
    """Some lanes that judge hosts for any number of threads; close them, or use them in a `with`.
    `seconds` is for each host, of the `setting`."""

    def __init__(self, auditor: Auditor, seconds: float, setting: str, lanes: int) -> None:
        self._auditor, self._seconds = auditor, seconds
        self._took = f"it may take {seconds:g} s ({setting}) and 1 GiB"
        self._lanes: list[_Process] = []
        self._changing = threading.Lock()
        self._closed = False
        self._free: queue.SimpleQueue[_Process] = queue.SimpleQueue()
        for _ in range(lanes):
            self._free.put(self._started())

    def __enter__(self) -> Judges:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def audit(self, facts: Mapping[str, Fact], began: datetime, seconds: float) -> AuditResult:
        """As Auditor.audit; raises UserError if it had to be ended."""
        request = pickle.dumps((dict(facts), began, seconds), pickle.HIGHEST_PROTOCOL)
        lane = self._free.get()
        try:
            lane.connection.send_bytes(request)
            reply = lane.connection.recv_bytes()
        except (EOFError, OSError) as error:
            lane = self._instead_of(lane)
            raise UserError(f"the process that judges was ended; {self._took}") from error
        finally:
            self._free.put(lane)
        found = pickle.loads(reply)  # noqa: S301 (of our own process)
        if isinstance(found, AuditResult):
            return found
        raise UserError(str(found))

    def close(self) -> None:
        """What is being judged is ended."""
        with self._changing:
            if self._closed:
                return
            self._closed = True
            with contextlib.suppress(queue.Empty):
                while True:
                    self._end(self._free.get_nowait(), busy=False)
            while self._lanes:
                self._end(self._lanes[0])

    def _instead_of(self, lane: _Process) -> _Process:
        with self._changing:
            if self._closed:
                return lane
            self._end(lane)
            return self._started()

    def _started(self) -> _Process:
        ours, theirs = Pipe()
        pid = os.fork()
        if pid == 0:
            try:
                # a lane ends when its other end is closed: nobody else may hold that
                for connection in (ours, *(lane.connection for lane in self._lanes)):
                    connection.close()
                self._serve(theirs)
            finally:
                os._exit(1)
        theirs.close()
        lane = _Process(pid, ours)
        self._lanes.append(lane)
        return lane

    def _end(self, lane: _Process, busy: bool = True) -> None:
        self._lanes.remove(lane)
        lane.connection.close()
        if busy:  # an idle one goes by itself, and what it took is counted as ours
            os.kill(lane.pid, signal.SIGKILL)
        os.waitpid(lane.pid, 0)

    def _serve(self, connection: Connection) -> NoReturn:
        """What a lane does until nobody asks it any more."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # what asks us is told, and goes
        gc.freeze()  # a collection in a child would make copies of all that it shares with us
        child, judged = None, 0
        while True:
            try:
                request = connection.recv_bytes()
                child = child or self._child(connection)
                judged += 1
                reply = _answered(child, request)
                if reply is None or judged % OF_A_CHILD == 0:
                    _finish(child)
                    child = None
                connection.send_bytes(reply or pickle.dumps(f"{ENDED}; {self._took}"))
            except (EOFError, OSError):
                if child:
                    _finish(child)
                os._exit(0)

    def _child(self, lane: Connection) -> _Process:
        ours, theirs = Pipe()
        pid = os.fork()
        if pid == 0:
            try:
                lane.close()
                ours.close()
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                faulthandler.disable()  # how it ends is told by who asked
                while True:
                    theirs.send_bytes(self._judged(theirs.recv_bytes()))
            finally:
                os._exit(1)
        theirs.close()
        return _Process(pid, ours)

    def _judged(self, request: bytes) -> bytes:
        facts, began, seconds = pickle.loads(request)  # noqa: S301 (of our own process)
        try:
            with bounded(self._seconds):
                found = self._auditor.audit(facts, began, seconds)
                return pickle.dumps(found, pickle.HIGHEST_PROTOCOL)
        except MemoryError:
            os._exit(1)
        except Exception as error:  # a mistake of ours that one host shows must not cost the others
            log.exception("a host could not be judged")
            return pickle.dumps(f"bug: {type(error).__name__}: {error}")


def _finish(child: _Process) -> None:
    child.connection.close()
    os.waitpid(child.pid, 0)


def _answered(child: _Process, request: bytes) -> bytes | None:
    """Its reply; None if it was ended."""
    try:
        child.connection.send_bytes(request)
        return child.connection.recv_bytes()
    except (EOFError, OSError):
        return None
