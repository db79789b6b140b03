"""What people read: an action of the audit log has words, and so has what is wrong with a parameter."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, get_args

import exporters.console
from exporters.console.people.sessions import Step
from exporters.console.review.changing import Action
from exporters.console.words.actions import ACTIONS
from tests import consolesample
from tests.consolelab import Console

ROOMS: Final = Path(exporters.console.__file__).parent
NAME: Final = re.compile(r"[a-z]+\.[a-z_]+")
# where an action is put together: what may stand behind the dot
MADE: Final = {
    "hits.": get_args(Action),
    "login.": get_args(Step),
    "waivers.": ("approve", "refuse", "withdraw"),
}


def recorded() -> Iterator[str]:
    """Every action that the console may write, as the source has it."""
    for path in ROOMS.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for call in (one for one in ast.walk(tree) if isinstance(one, ast.Call)):
            function = call.func
            name = function.attr if isinstance(function, ast.Attribute) else ""
            if name == "record":
                place = 2 if ast.unparse(function) == "auditlog.record" else 1
                yield from _texts(call.args[place], tree)
            elif isinstance(function, ast.Name) and function.id == "_end":
                yield from _texts(call.args[2], tree)


def _texts(node: ast.expr, tree: ast.Module) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=one, orelse=other):
            yield from _texts(one, tree)
            yield from _texts(other, tree)
        case ast.JoinedStr(values=[ast.Constant(value=str(head)), _]):
            yield from (head + tail for tail in MADE[head])
        case ast.Name(id="action"):  # of a variable, or a parameter that is told apart above
            for said in ast.walk(tree):
                if isinstance(said, ast.Assign) and ast.unparse(said.targets[0]) == "action":
                    yield from _texts(said.value, tree)
        case _:
            raise AssertionError(ast.unparse(node))


def test_every_action_that_is_recorded_has_words() -> None:
    found = set(recorded())
    assert found == set(ACTIONS)
    assert all(NAME.fullmatch(one) for one in found)


def test_the_log_says_what_was_done(console: Console) -> None:
    client = console.client("auditor")
    assert "登录成功" in client.get("/log", headers={"Accept-Language": "zh"}).text
    assert "logged in" in client.get("/log", headers={"Accept-Language": "en"}).text


def test_what_is_wrong_with_a_parameter_is_told_in_the_language_of_the_page(
    console: Console,
) -> None:
    client = console.client("viewer")
    zh, en = {"Accept-Language": "zh-CN"}, {"Accept-Language": "en"}
    wrong = {
        "sort=foo": "不能是 &#39;foo&#39;",
        "size=0": "不能小于 1",
        "size=x": "应为整数",
        "min_age=99999": "不能大于 36500",
        "text=" + "x" * 201: "长度至多为 200",
        "text=%00": "格式或取值不正确",
    }
    for query, words in wrong.items():
        page = client.get(f"/hits?{query}", headers=zh)
        assert page.status_code == 422
        assert words in page.text
        assert "Expected" not in page.text
    assert "a whole number is expected" in client.get("/hits?size=x", headers=en).text


def test_a_parameter_that_is_missing_is_named(console: Console) -> None:
    answer = console.client("analyst").post("/api/v1/waivers", json={})
    error = answer.json()["error"]
    assert answer.status_code == 422
    assert error["field"] == "rule"
    assert "rule" in error["message"]
    assert "缺少该参数" in error["message"]


def test_a_waiver_names_its_hosts(console: Console) -> None:
    consolesample.fill(console, 1)
    client = console.client("analyst")
    wanted = {
        "rule": consolesample.WAIVED,
        "hosts": [consolesample.key(0), "web-*"],
        "reason": "业务系统改造",
        "owner": "张伟",
        "expires": (datetime.now(UTC).date() + timedelta(days=20)).isoformat(),
    }
    made = client.post("/api/v1/waivers", json=wanted).json()
    for path in ("/waivers", f"/waivers/{made['id']}"):
        page = client.get(path).text
        assert "vm-0000" in page
        assert "web-*" in page
    ids = [one["id"] for one in client.get("/api/v1/hits").json()["hits"][:1]]
    assert "vm-0000" in client.get(f"/waivers/new?ids={ids[0]}").text
    # whose department's it is not is not told the name
    other = console.client("viewer", (consolesample.DEPARTMENTS[1],), name="wei")
    assert "vm-0000" not in other.get("/waivers").text
