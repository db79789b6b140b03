"""Threads for blocking calls of the event loop.

Each kind of work has a pool of its own, so that hung scrapes cost no other page a thread. Threads
are daemons: a call that hangs does not keep the process from ending. A call past its time is given
up: its caller goes on, its thread no longer counts, and ends when the call does.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")

SPARE = 2  # idle threads that are kept


class Busy(Exception):
    """Nobody could do the work in time. `str()` says why."""


class _Job(Generic[T]):
    __slots__ = ("abandoned", "call", "future", "loop", "running")

    def __init__(self, call: Callable[[], T], loop: asyncio.AbstractEventLoop) -> None:
        self.call, self.loop = call, loop
        self.future: asyncio.Future[T] = loop.create_future()
        self.running = self.abandoned = False

    def work(self) -> None:
        result: Any = None
        problem: Exception | None = None
        try:
            result = self.call()
        except Exception as error:  # noqa: BLE001 - it is raised where the call is awaited
            problem = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            self.loop.call_soon_threadsafe(self._settle, result, problem)

    def _settle(self, result: T, problem: Exception | None) -> None:
        if self.future.done():
            return
        if problem:
            self.future.set_exception(problem)
        else:
            self.future.set_result(result)


class Pool:
    """At most `size` calls at once, `waiting` more in line, and `lost` that hang for good."""

    def __init__(self, name: str, size: int, waiting: int, lost: int = 16) -> None:
        self._name, self._size, self._waiting, self._lost = name, size, waiting, lost
        self._jobs: deque[_Job[Any]] = deque()
        self._wake = threading.Condition()
        self._threads = self._idle = self._abandoned = 0

    async def run(self, call: Callable[[], T], timeout: float) -> T:
        """The call's result or its exception; raises Busy if there is none within `timeout` s."""
        loop = asyncio.get_running_loop()
        job = _Job(call, loop)
        self._submit(job)
        alarm = loop.call_later(timeout, self._late, job, timeout)
        try:
            return await job.future
        except asyncio.CancelledError:
            self._give_up(job)
            raise
        finally:
            alarm.cancel()

    def _late(self, job: _Job[Any], timeout: float) -> None:
        self._give_up(job)
        if not job.future.done():
            job.future.set_exception(Busy(f"no answer within {timeout:g} s"))

    def _submit(self, job: _Job[Any]) -> None:
        with self._wake:
            if len(self._jobs) >= self._waiting:
                raise Busy(f"{len(self._jobs)} others wait already")
            if self._abandoned >= self._lost:
                raise Busy(f"{self._abandoned} earlier ones hang")
            self._jobs.append(job)
            if self._idle >= len(self._jobs):
                self._wake.notify()
            elif self._threads < self._size and not self._start() and not self._threads:
                self._jobs.remove(job)
                raise Busy("no thread can be started")

    def _give_up(self, job: _Job[Any]) -> None:
        with self._wake:
            if job.running:
                job.abandoned = True
                self._threads -= 1
                self._abandoned += 1
                if self._jobs:
                    self._start()
            elif job in self._jobs:
                self._jobs.remove(job)

    def _start(self) -> bool:
        thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system's limit of threads
            return False
        self._threads += 1
        return True

    def _loop(self) -> None:
        while job := self._take():
            job.work()
            with self._wake:
                if job.abandoned:
                    self._abandoned -= 1
                    return
                job.running = False

    def _take(self) -> _Job[Any] | None:
        with self._wake:
            while not self._jobs:
                if self._idle >= SPARE:
                    self._threads -= 1
                    return None
                self._idle += 1
                self._wake.wait()
                self._idle -= 1
            job = self._jobs.popleft()
            job.running = True
            return job
