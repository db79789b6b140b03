"""Which source a command asks: a recording, a host over SSH, or this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from agents.config import Config
from agents.errors import UserError
from agents.runner import Runner
from collectors.model import Collector, Source
from collectors.observe import Observation, observe
from collectors.sources.local import LocalSource


@contextmanager
def open_source(config: Config, host: str | None, recorded: str | None) -> Iterator[Source]:
    """The source; what keeps it from answering at all is a UserError."""
    if host and recorded:
        raise UserError("--host and --recorded cannot be used together")
    if recorded:
        from collectors.sources.recorded import RecordedSource, RecordingError

        try:
            yield RecordedSource(recorded)
        except RecordingError as error:
            raise UserError(str(error)) from error
    elif host:
        from collectors.sources.ssh import SshError, SshSource

        try:
            with SshSource(host, config.ssh) as source:
                yield source
        except SshError as error:
            raise UserError(str(error)) from error
    else:
        yield LocalSource(config.root)


def observe_with(
    source: Source, collectors: Sequence[Collector], config: Config
) -> list[Observation]:
    """One observation a collector: on this machine each apart, elsewhere in one round trip."""
    if isinstance(source, LocalSource):
        return Runner(source, config.collectors.deadline).observe(collectors)
    return observe(source, collectors)
