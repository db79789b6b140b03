"""`python -m agents` is the `jianwei` command; children of the agent are started this way."""

from __future__ import annotations

import sys


def main() -> None:
    """The command, quiet when interrupted while it is still being imported."""
    try:
        from agents.cli import main as command

        command(prog_name="jianwei")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
