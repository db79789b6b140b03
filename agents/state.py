"""Where the agent keeps what outlives it: hits, slow inventories, queues. systemd.exec(5), StateDirectory;
XDG Base Directory Specification."""

from __future__ import annotations

import os
from pathlib import Path

from agents.config import Config


def state_dir(config: Config) -> Path:
    """The folder, which need not be there yet; `state_dir` of the configuration, or the usual place."""
    if config.state_dir:
        return Path(config.state_dir).expanduser()
    return default_state_dir()


def default_state_dir() -> Path:
    """The usual place: of systemd, of root, or of this user."""
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0])
    if os.geteuid() == 0:
        return Path("/var/lib/jianwei")
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home, "jianwei").expanduser()


def history_file(config: Config) -> Path:
    """The history of usage, `history.file` of the configuration or in the folder."""
    own = config.history.file
    return Path(own).expanduser() if own else state_dir(config) / "history.db"
