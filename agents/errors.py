"""Errors that a person at the command line can mend: one clear line, exit code 2."""

from __future__ import annotations


class UserError(Exception):
    """Bad input. `str()` names what is wrong and the remedy."""
