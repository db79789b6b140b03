"""`python -m deploy.bundle [--out dist] [PART …]`: make bundles, the wheel, the Debian package, sums."""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

from deploy.bundle import archive, deb, distributions, sbom, tree, wheel
from deploy.bundle.contents import AGENT, FULL, Contents
from deploy.bundle.errors import BuildError

PARTS = ("agent", "full", "deb", "wheel")
ARCHITECTURE = "linux-x86_64"


def make(out: Path, parts: Collection[str] = PARTS) -> None:
    """Everything that `parts` names, and always the wheel with its lock, into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    own = wheel.build(out)
    lock = out / "requirements.lock"
    shutil.copyfile(wheel.ROOT / "requirements.lock", lock)
    made = [own, lock]
    with tempfile.TemporaryDirectory(prefix="jianwei-bundle-") as folder:
        for contents, wanted in ((AGENT, {"agent", "deb"}), (FULL, {"full"})):
            if wanted & set(parts):
                made += _bundle(contents, own, Path(folder, contents.name), out, parts)
    rows = [f"{_sum(path).hex()}  {path.name}\n" for path in sorted(made)]
    (out / "SHA256SUMS").write_text("".join(rows))


def _bundle(
    contents: Contents, own: Path, scratch: Path, out: Path, parts: Collection[str]
) -> list[Path]:
    scratch.mkdir()
    built, epoch = tree.build(contents, own, scratch / "tree"), wheel.epoch()
    top = f"{built.name}-{built.version}"
    packed = archive.pack(built.folder, top, out / f"{top}-{ARCHITECTURE}.tar.gz", epoch)
    locked = distributions.locked((wheel.ROOT / "requirements.lock").read_text())
    listed = out / f"{top}.cdx.json"
    listed.write_text(sbom.document(built, locked, _sum(packed), epoch), encoding="utf-8")
    if contents is AGENT and "deb" in parts:
        return [packed, listed, deb.build(built, scratch, out, epoch)]
    return [packed, listed]


def _sum(path: Path) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.bundle", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("dist"), help="the folder; dist")
    parser.add_argument("parts", nargs="*", choices=(*PARTS, []), metavar="PART", help=str(PARTS))
    options = parser.parse_args()
    os.umask(0o022)
    begin = time.monotonic()
    try:
        make(options.out, options.parts or PARTS)
    except BuildError as error:
        sys.exit(f"bundle: {error}")
    for path in sorted(options.out.iterdir()):
        sys.stdout.write(f"{path.stat().st_size / 1e6:8.1f} MB  {path}\n")
    sys.stdout.write(f"{time.monotonic() - begin:.0f} s\n")


if __name__ == "__main__":
    main()
