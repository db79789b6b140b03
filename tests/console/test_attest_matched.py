"""Patterns that are looked for among sorted names are as those of rules.waivers, whichever database they are kept in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.console.attest.matched import _any
from exporters.console.attest.reach import pattern_of, shell_of
from rules.waivers import matches

SIGNS = st.sampled_from("ab*?%_\\[]!-市\n")


@pytest.mark.parametrize("sqlite", [True, False])
@given(st.text(SIGNS, max_size=6), st.lists(st.text(SIGNS, max_size=6), max_size=6))
@settings(max_examples=300, deadline=None)
def test_a_pattern_finds_the_names_that_it_is_for(
    sqlite: bool, pattern: str, names: list[str]
) -> None:
    database: Any = SimpleNamespace(sqlite=sqlite)
    shell = shell_of(database, pattern_of(database, pattern))
    assert _any(sorted(names), shell) == any(matches(name, pattern) for name in names)
