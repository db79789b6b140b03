"""What a command says whose library is not in this installation: a bundle for hosts leaves some out.

`share/jianwei/BUNDLE` of a bundle has name=, version=, arch= (docs/bundle.md).
"""

from __future__ import annotations

import os
import sys

_OURS = ("agents", "collectors", "exporters", "rules")


def told(error: ModuleNotFoundError) -> str | None:
    """One line of what to do; None where a module of ours should be there and is not, which is a bug."""
    missing = (error.name or "").partition(".")[0]
    bundle = _bundle()
    if bundle == "jianwei-agent":
        return f"this command is not in the bundle for hosts ({error.name} is left out); use the full bundle, jianwei-*-linux-x86_64.tar.gz"
    if bundle or missing in _OURS or missing in sys.stdlib_module_names:
        return None
    return f"{error.name} is not installed; install the requirements.lock of this version with pip"


def _bundle() -> str:
    """The name of the bundle that this interpreter is of; empty if it is of none."""
    try:
        with open(os.path.join(sys.prefix, "share/jianwei/BUNDLE"), encoding="ascii") as file:
            return file.readline().strip().removeprefix("name=")
    except FileNotFoundError:
        return ""
