"""Which source a command asks: a recording, a host over SSH, or this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from agents.errors import UserError
from agents.runner import Runner
from collectors.model import Collector, Source
from collectors.observe import Observation, observe
from collectors.sources.local import LocalSource
from collectors.sources.recorded import RecordedSource, RecordingError
from collectors.sources.recorder import Recorder
from collectors.sources.ssh.settings import SshSettings
from collectors.sources.ssh.target import SshError


class SourceError(UserError):
    """A machine that cannot be asked: not reached, not verified, not let in, or no recording."""


@contextmanager
def open_source(
    host: str | None, recorded: str | None, root: str, ssh: SshSettings
) -> Iterator[Source]:
    """The source that is named, else this machine seen at `root`; raises SourceError.

    What goes wrong with the source inside the `with` block is a SourceError as well.
    """
    if host is not None and recorded is not None:
        raise SourceError("--host and --recorded cannot be used together")
    try:
        if host is not None:
            from collectors.sources.ssh.source import SshSource

            with SshSource(host, ssh) as source:
                yield source
        else:
            yield LocalSource(root) if recorded is None else RecordedSource(recorded)
    except (SshError, RecordingError) as error:
        raise SourceError(str(error)) from error


def observe_with(
    source: Source, collectors: Sequence[Collector], deadline: float
) -> list[Observation]:
    """One observation a collector: on this machine each apart with a deadline in seconds, so that
    one that hangs costs only itself; elsewhere all in one round trip."""
    asked = source.source if isinstance(source, Recorder) else source
    if isinstance(asked, LocalSource):
        return Runner(source, deadline).observe(collectors)
    return observe(source, collectors)
