"""What ends a build, in a line that says what to do."""

from __future__ import annotations


class BuildError(Exception):
    """Something that a bundle needs is missing or is not what it should be."""
