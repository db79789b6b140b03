"""Which file systems and swap areas lie on encrypted devices: dm-crypt as sysfs shows it.

/sys/block/dm-N/dm (kernel doc ABI/testing/sysfs-block-dm): the uuid of a device of cryptsetup begins with CRYPT-;
`slaves` are the devices under one. crypttab(5) says how it is set up. Keys are in neither.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import (
    Answers,
    Collector,
    Command,
    Fact,
    File,
    Glob,
    Reading,
    Stat,
    Unavailable,
    malformed,
)
from collectors.rows import FileStat

MAPPED = Glob("/sys/block/dm-*/dm", names=("uuid", "name"))
SLAVES = Stat("/sys/block/*/slaves/*")
MOUNTS = File("/proc/mounts")
SWAPS = File("/proc/swaps")
CRYPTTAB = File("/etc/crypttab")
# Without --showkeys a key is zeros or the name of one in the kernel's keyring; of that only the cipher is taken.
TABLE = Command(("dmsetup", "table", "--target", "crypt"), timeout=3)
_ESCAPE = re.compile(r"\\([0-7]{3})")
# Options that make a device something else than LUKS with the cipher of its own header.
_CIPHER = re.compile(r"(?:^|,)cipher=([^,]+)")


class DiskEncryptionCollector(Collector, frozen=True):
    """`disk_encryption`: devices (name, type such as LUKS2, cipher: empty where neither dmsetup, as root, nor crypttab tells it), filesystems and swaps: rows
    of key, device, encrypted (true where all that is under it is), source. File systems without a device are left out.
    """

    name: ClassVar[str] = "disk_encryption"
    facts: ClassVar[tuple[str, ...]] = ("disk_encryption",)

    def readings(self) -> tuple[Reading, ...]:
        return (MAPPED, SLAVES, MOUNTS, SWAPS, CRYPTTAB)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        uuids, names = _mapped(answers)
        slaves: dict[str, set[str]] = defaultdict(set)
        if answers.answer(SLAVES).state != "absent":
            for stat in answers.rows(SLAVES, FileStat):
                with malformed(SLAVES.pattern):
                    _, _, _, node, _, under = stat.path.split("/")
                slaves[node].add(under)
        by_name = {name: node for node, name in names.items()}
        tab = _crypttab(answers.maybe(CRYPTTAB) or "")
        if any(uuid.startswith("CRYPT-") for uuid in uuids.values()):
            tab |= _table(answers.answer(TABLE).content.decode("utf-8", "replace"))

        def row(key: str, device: str, source: str) -> dict[str, Any]:
            node = device.removeprefix("/dev/")
            node = by_name.get(node.removeprefix("mapper/"), node)
            encrypted = _encrypted(node, uuids, slaves)
            return {"key": key, "device": device, "encrypted": encrypted, "source": source}

        mounts = dict(reversed(list(_mounts(answers.text(MOUNTS)))))
        swaps = answers.maybe(SWAPS) or ""
        yield Fact(
            "disk_encryption",
            {
                "devices": [
                    {
                        "name": names.get(node, node),
                        "type": uuid.split("-")[1] if uuid.count("-") else "",
                        "cipher": tab.get(names.get(node, ""), ""),
                        "source": f"/sys/block/{node}",
                    }
                    for node, uuid in sorted(uuids.items())
                    if uuid.startswith("CRYPT-")
                ],
                "filesystems": [
                    row(point, device, MOUNTS.path)
                    for device, point in sorted(mounts.items(), key=lambda item: item[1])
                ],
                "swaps": [
                    row(words[0], words[0], SWAPS.path)
                    for words in (line.split() for line in swaps.split("\n")[1:])
                    if words and not words[0].startswith("/dev/zram")
                ],
            },
            {"": "/sys/block", "filesystems": MOUNTS.path, "swaps": SWAPS.path},
        )


def _mapped(answers: Answers) -> tuple[dict[str, str], dict[str, str]]:
    """uuid and name of each mapped device by its node, `dm-0`."""
    found: dict[str, dict[str, str]] = {"uuid": {}, "name": {}}
    if answers.answer(MAPPED).state == "absent":
        return found["uuid"], found["name"]
    for path, answer in answers.children(MAPPED).items():
        if answer.state == "absent":
            continue
        if answer.state != "content":
            raise Unavailable(File(path), answer)
        with malformed(MAPPED.pattern):
            _, _, _, node, _, name = path.split("/")
        found[name][node] = answer.content.decode("utf-8", "replace").strip()
    return found["uuid"], found["name"]


def _encrypted(node: str, uuids: dict[str, str], slaves: dict[str, set[str]]) -> bool:
    """Whether every way down from a device meets dm-crypt."""
    waiting, seen = [node], {node}
    while waiting:
        here = waiting.pop()
        if uuids.get(here, "").startswith("CRYPT-"):
            continue
        under = slaves.get(here, set())
        if not under:
            return False
        waiting += under - seen
        seen |= under
    return True


def _mounts(text: str) -> Iterable[tuple[str, str]]:
    """Device and mount point of what lies on a device; of one mounted twice the first counts."""
    for line in text.split("\n"):
        words = line.split(" ")
        if len(words) < 3 or words[2] in _READ_ONLY or words[0].startswith("/dev/loop"):
            continue
        if words[0].startswith("/dev/"):
            yield _plain(words[0]), _plain(words[1])


_READ_ONLY = frozenset({"squashfs", "iso9660", "udf", "erofs", "devtmpfs"})


def _plain(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)


def _crypttab(text: str) -> dict[str, str]:
    """The cipher of each name that says one."""
    found = {}
    for line in text.split("\n"):
        words = line.split()
        if len(words) >= 4 and not words[0].startswith("#") and (it := _CIPHER.search(words[3])):
            found[words[0]] = it[1]
    return found


def _table(text: str) -> dict[str, str]:
    """The cipher of each device: `NAME: 0 SECTORS crypt CIPHER KEY …`."""
    found = {}
    for line in text.split("\n"):
        name, _, rest = line.partition(": ")
        words = rest.split(" ", 4)
        if len(words) == 5 and words[2] == "crypt":
            found[name] = words[3].removeprefix("capi:")
    return found
