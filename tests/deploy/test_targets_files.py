"""One name for the file of targets: what writes it, in documents and help, and what reads it, in configurations."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

from agents.cli.fleet import sd

ROOT = Path(__file__).parents[2]


def test_what_is_written_is_read() -> None:
    documents = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.y*ml")]
    texts = [path.read_text() for path in documents]
    written = re.findall(
        r"fleet sd [^\n]*?--output (\S+)", "\n".join([*texts, str(sd.command.help)])
    )
    assert len(written) >= 5
    reading = re.compile(r"\b(?:targets_)?files: *\[\"?(?:/etc/prometheus/)?(targets/[^\],\"]+)")
    found = [pattern for text in texts for pattern in reading.findall(text)]
    read = [pattern for pattern in found if "tls" not in pattern]  # services, not agents
    assert len(read) >= 8
    for path in written:
        name = path.rstrip("`;").removeprefix("/etc/prometheus/")
        assert name == "targets/agents.json"
        assert all(fnmatch(name, pattern) for pattern in read), read


def test_it_is_never_written_in_place() -> None:
    """A redirection would show Prometheus half of it."""
    for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.y*ml")]:
        assert not re.search(r"fleet sd [^\n]*>", path.read_text()), path
