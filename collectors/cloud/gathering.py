"""All clouds looked at, side by side; a cloud that hangs or raises costs its own view only."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from collectors.cloud.catalogue import cloud
from collectors.cloud.model import Cloud, CloudView, Problem
from collectors.cloud.settings import CloudSource, CloudsSettings

log = logging.getLogger(__name__)

GRACE = 2.0  # seconds beyond its deadline until a cloud is given up


def gather(
    sources: Sequence[CloudSource],
    settings: CloudsSettings,
    client: Callable[[CloudSource, CloudsSettings], Cloud] = cloud,
    done: Callable[[CloudView], None] | None = None,
) -> list[CloudView]:
    """One view a cloud, in their order, within `settings.deadline` and a moment.

    What hangs is left behind on a daemon thread: who calls this is a process that ends soon.
    `done` gets each view once, as it comes: one at a time, on any thread.
    """
    began = time.time()
    views: dict[str, CloudView] = {}
    lock = threading.Lock()

    def keep(name: str, view: CloudView) -> None:
        if name not in views:  # or it was given up, and comes late
            views[name] = view
            if done:
                done(view)

    def look(source: CloudSource) -> None:
        try:
            view = client(source, settings).gather(settings.deadline)
        except Exception as error:
            log.exception("cloud %s raised", source.name)
            view = _blind(source, began, f"a bug: {type(error).__name__}")
        with lock:
            keep(source.name, view)

    threads = [
        threading.Thread(target=look, args=(source,), name=f"cloud {source.name}", daemon=True)
        for source in sources
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + settings.deadline + GRACE
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    with lock:
        for source in sources:
            keep(source.name, _blind(source, began, f"no end within {settings.deadline:g} s"))
        return [views[source.name] for source in sources]


def _blind(source: CloudSource, began: float, reason: str) -> CloudView:
    problem = Problem("all", reason)
    return CloudView(source.name, source.kind, began, time.time() - began, problems=(problem,))
