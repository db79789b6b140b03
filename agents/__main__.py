"""`python -m agents` is the `jianwei` command; children of the agent are started this way."""

from agents.cli import main

if __name__ == "__main__":
    main(prog_name="jianwei")
