"""Model and place of each CPU: /proc/cpuinfo, proc(5), whose keys differ by architecture."""

from __future__ import annotations

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
        fields = {}
        # on x86 half of the lines come after the long one of flags, and none of ours
        for line in block.partition("\nflags")[0].splitlines():
            key, _, value = line.partition(":")
            fields[key.rstrip()] = value.strip()
        if "processor" in fields:
            yield {
                label: fields.get(x86) or fields.get(arm, "") for label, (x86, arm) in INFO.items()
            }
