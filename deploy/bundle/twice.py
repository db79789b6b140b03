"""`make bundle-check`: everything is built twice from two copies of the checkout, and must be the same."""

from __future__ import annotations

import filecmp
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deploy.bundle import wheel


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        outs = []
        for name in ("one", "another/place"):
            checkout, out = Path(folder, name), Path(folder, name.partition("/")[0] + ".dist")
            for tracked in wheel.git("ls-files", "-z").rstrip("\0").split("\0"):
                target = checkout / tracked
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(wheel.ROOT / tracked, target, follow_symlinks=False)
            subprocess.run(["git", "init", "-q", str(checkout)], check=True)
            subprocess.run(["git", "-C", str(checkout), "add", "-A"], check=True)
            subprocess.run(
                [sys.executable, "-m", "deploy.bundle", "--out", str(out)],
                cwd=checkout,
                env={"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": str(wheel.epoch())},
                check=True,
            )
            outs.append(out)
            time.sleep(2)  # no two files have the same time
        names = sorted({path.name for out in outs for path in out.iterdir()})
        _, different, missing = filecmp.cmpfiles(outs[0], outs[1], names, shallow=False)
        if different or missing:
            sys.exit(f"not the same: {', '.join(different + missing)}")
        sys.stdout.write(f"{len(names)} files are the same, byte for byte\n")


if __name__ == "__main__":
    main()
