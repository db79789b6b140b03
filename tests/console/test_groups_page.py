"""The page of grouped hits offers what it honours; owners are offered to whoever may name one."""

from __future__ import annotations

import re

from tests import consolesample
from tests.consolelab import Console
from tests.consolesample import DEPARTMENTS

OWNERS = re.compile(r'<option value="(\w+)">[^<]*</option>')


def test_groups_are_in_an_order_of_their_own(console: Console) -> None:
    consolesample.fill(console, 1)
    client = console.client("analyst")
    plain = client.get("/hits?sort=age").text
    assert '<select id="f-sort"' in plain
    grouped = client.get("/hits?sort=age&group=rule").text
    assert '<select id="f-sort"' not in grouped
    assert '<input type="hidden" name="sort" value="age">' in grouped  # for when it is undone
    assert "按问题数由多到少排列" in grouped
    assert "/hits.csv?sort=age&amp;group=rule" in grouped


def owners(page: str) -> list[str]:
    return OWNERS.findall(page.partition('<datalist id="owners">')[2].partition("</datalist>")[0])


def test_owners_that_may_be_named(console: Console) -> None:
    consolesample.fill(console, 1)
    console.person("lina", "approver", (DEPARTMENTS[0],))
    console.person("zhao", "analyst", (DEPARTMENTS[1],))
    console.person("root", "administrator")
    client, viewer = console.client("analyst"), console.client("viewer")
    of_one = console.client("analyst", (DEPARTMENTS[0],), name="wang")
    for path in ("/hits", "/hits/1"):
        assert owners(client.get(path).text) == ["analyst", "lina", "wang", "zhao"]
        assert owners(of_one.get(path).text) == ["analyst", "lina", "wang"]
        assert owners(viewer.get(path).text) == []
