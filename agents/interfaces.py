"""Interfaces of devices on schedule: every round in a child process, whose SNMP library leaves with it.

The child reads secrets from the file itself; it is given the indexes that interfaces had last on
its standard input, and prints what it saw as JSON. Counters become rates here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence

import msgspec

from agents import children
from collectors.link.devices import BandwidthSettings, Device, MeteredLine
from collectors.link.interfacemetrics import families
from collectors.link.interfaces import DevicePoll
from collectors.link.utilisation import LineUse, Meter
from collectors.model import Family, gauge, sample

log = logging.getLogger(__name__)

END_PATIENCE = 2.0  # seconds for the child to be ended
START_PATIENCE = 10.0  # seconds beyond the interval, for the child to start and print


class InterfaceSchedule:
    """Rounds every interval from `start` to `stop`.

    `arguments` are the command that asks and prints, `interfaces FILE` with what belongs to it.
    `problem` says why the last round brought nothing, or is empty.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        settings: BandwidthSettings,
        devices: Mapping[str, Device],
        lines: Sequence[MeteredLine],
    ) -> None:
        self._arguments = (*arguments, "--lines", "--json", "--hints")
        self._settings, self._devices, self._lines = settings, devices, tuple(lines)
        self._meter = Meter(lines, settings.samples)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._polls: Sequence[DevicePoll] = ()
        self._uses: Mapping[str, LineUse] = {}
        self._ended = 0.0
        self.problem = "the first round has not ended yet" if lines else "no line has an interface"
        self._thread = threading.Thread(target=self._loop, name="interfaces", daemon=True)

    def start(self) -> None:
        for name, device in self._devices.items():
            for warning in device.warnings():
                log.warning("device %s: %s", name, warning)
        if self._lines:
            self._thread.start()

    def stop(self) -> None:
        """Begin no other round, and end the one under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(END_PATIENCE)

    def utilisation(self) -> Mapping[str, LineUse]:
        """The use of every line by its key, empty before the first round."""
        with self._lock:
            return self._uses

    def families(self) -> Sequence[Family]:
        """The last round; without lines nothing."""
        if not self._lines:
            return ()
        with self._lock:
            polls, uses, ended = self._polls, self._uses, self._ended
        return (
            *families(polls, list(uses.values())),
            gauge(
                "jianwei_interface_poll_success",
                "Whether the last round over all devices ended well; 0 before the first.",
                sample(float(not self.problem)),
            ),
            gauge(
                "jianwei_interface_poll_timestamp_seconds",
                "Unix time at which the last round ended; none before the first.",
                *((sample(ended),) if ended else ()),
            ),
        )

    def _loop(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            self._round()
            # a round that took longer than its interval skips what it has missed
            now, interval = time.monotonic(), self._settings.interval
            due += interval * max(1, -(-(now - due) // interval))

    def _round(self) -> None:
        try:
            polls = self._ask()
        except (OSError, _RoundFailed, msgspec.MsgspecError) as error:
            if self._stop.is_set():
                return
            self.problem = f"the devices could not be asked: {error}"
            log.error("%s", self.problem)
            polls = []  # what was seen last is not so now
        else:
            self.problem = ""
        uses = {use.line: use for use in self._meter.add(polls)}
        with self._lock:
            self._polls, self._uses, self._ended = polls, uses, time.time()

    def _ask(self) -> list[DevicePoll]:
        with children.giving(msgspec.json.encode(self._meter.hints())) as hints:
            ended = children.run(
                self._arguments,
                self._settings.interval + START_PATIENCE,
                stop=self._stop,
                given=hints,
            )
        if ended.problem or ended.status not in (0, 1):  # 1: some device did not answer
            raise _RoundFailed(ended.problem or f"exit status {ended.status}")
        return msgspec.json.decode(ended.output, type=list[DevicePoll])


class _RoundFailed(Exception):
    pass
