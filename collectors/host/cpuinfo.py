"""Model and place of each CPU: /proc/cpuinfo, proc(5), whose keys differ by architecture."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from collectors.model import File

CPUINFO = File("/proc/cpuinfo")

# Label → its keys in /proc/cpuinfo on x86 and on arm64.
INFO = {
    "package": ("physical id", ""),
    "core": ("core id", ""),
    "cpu": ("processor", "processor"),
    "vendor": ("vendor_id", "CPU implementer"),
    "family": ("cpu family", "CPU architecture"),
    "model": ("model", "CPU part"),
    "model_name": ("model name", "model name"),
    "microcode": ("microcode", ""),
    "stepping": ("stepping", "CPU revision"),
    "cachesize": ("cache size", ""),
}


def processors(text: str) -> Iterator[dict[str, str]]:
    """The labels of each logical CPU that is online; empty where the kernel does not say."""
    for block in text.split("\n\n"):
        # on x86 half of the lines come after the long one of flags, and none of ours
        before, _, after = block.partition("\nflags")[0].partition("\ncpu MHz")
        if labels := _labels(before, after.partition("\n")[2]):
            yield dict(labels)


@functools.lru_cache(1024)  # all but the frequency is the same for ever
def _labels(*parts: str) -> tuple[tuple[str, str], ...]:
    fields = {}
    for line in "\n".join(parts).splitlines():
        key, _, value = line.partition(":")
        fields[key.rstrip()] = value.strip()
    if "processor" not in fields:
        return ()
    return tuple(
        (label, fields.get(x86) or fields.get(arm, "")) for label, (x86, arm) in INFO.items()
    )
