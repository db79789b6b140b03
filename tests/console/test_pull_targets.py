"""Targets files: as Prometheus has them, read again, and what is said of a bad one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.strictyaml import DocumentError
from exporters.console.pull.settings import PullSettings
from exporters.console.pull.targets import TargetFiles, load

YAML = """
- targets: [192.0.2.7:9808, "[2001:DB8::7]:9808", Web-01.example]
  labels: {部门: 财政局, system: 预算, level: 3, __scheme__: https, __metrics_path__: /x, room: "7"}
- targets: [192.0.2.8:9808]
"""


def test_yaml_with_chinese_keys_and_a_scheme(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text(YAML)
    first, second, third, fourth = load(str(path), "http")
    assert [it.url for it in (first, second, third, fourth)] == [
        "https://192.0.2.7:9808",
        "https://[2001:db8::7]:9808",
        "https://web-01.example:443",
        "http://192.0.2.8:9808",
    ]
    assert first.labels == {"department": "财政局", "system": "预算", "level": "3", "room": "7"}
    assert fourth.labels == {}


def test_json_indented_with_tabs(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[\n\t{"targets": ["db:1"],\n\t\t"labels": {"department": "a"}}\n]\n')
    assert load(str(path), "http")[0].url == "http://db:1"


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("- targets: [a:1]\n- target: [b:1]", ":2", "did you mean 'targets'?"),
        ("- targets:\n  - a:1\n  - http://b:1/x", ":3", "__scheme__"),
        ("- targets: [a:0]", ":1", "host:port"),
        ("- targets: ['::1:9']", ":1", "brackets"),
        ("- targets: [a]\n  labels: {__scheme__: gopher}", ":2", "http, https"),
        ("- targets: [a]\n  labels: {部门: x,\n    department: y}", ":", "twice"),
        ("targets: [a]", ":1", "list"),
        ("- targets: [a", ":", "YAML"),
        ("- targets: [a]\n  labels: {x: [1]}", ":2", "labels"),
    ],
)
def test_an_error_names_file_line_and_key(tmp_path: Path, text: str, where: str, said: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(DocumentError) as caught:
        load(str(path), "http")
    assert str(caught.value).startswith(f"{path}{where}")
    assert said in str(caught.value)


def test_a_bad_file_leaves_what_it_said_before(tmp_path: Path) -> None:
    one, two = tmp_path / "t-1.yml", tmp_path / "t-2.yml"
    one.write_text("- targets: [a:1]")
    two.write_text("- targets: [b:1, a:1]\n  labels: {x: y}")
    files = TargetFiles([str(tmp_path / "t-*.yml"), str(tmp_path / "none.yml")], "http")
    assert files.refresh()
    assert set(files.targets()) == {"http://a:1", "http://b:1"}
    assert files.targets()["http://a:1"].labels == {}  # the first one counts
    assert not files.refresh()
    one.write_text("- targets: [a:1, c:1")
    assert files.refresh()
    assert set(files.targets()) == {"http://a:1", "http://b:1"}
    problems = {it.path: it.problem for it in files.states()}
    assert "t-1.yml" in problems[str(one)]
    assert problems[str(two)] == ""
    assert problems[str(tmp_path / "none.yml")] == "no such file"
    one.write_text("- targets: [c:1]")
    os.unlink(two)
    assert files.refresh()
    assert set(files.targets()) == {"http://c:1"}


def test_only_the_last_part_of_a_path_is_a_pattern(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only the last part"):
        PullSettings(targets_files=("/etc/*/a.yml",))
    with pytest.raises(ValueError, match=r"\.json, \.yml or \.yaml"):
        PullSettings(targets_files=("/etc/targets",))
    odd = tmp_path / "[x]?"
    odd.mkdir()
    (odd / "a.yml").write_text("- targets: [a:1]")
    files = TargetFiles([str(odd / "*.yml")], "http")
    files.refresh()
    assert len(files.targets()) == 1


@given(
    st.one_of(
        st.text(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["targets", "labels", "__scheme__", "部门", "x"]),
                    inner,
                    max_size=3,
                )
            ),
        ).map(lambda it: msgspec.json.encode(it).decode()),
    )
)
@settings(max_examples=80)
def test_anything_is_targets_or_an_error(text: str) -> None:
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(text.encode("utf-8", "surrogatepass"))
        file.flush()
        try:
            found = load(file.name, "http")
        except DocumentError:
            return
    assert all(it.address.rpartition(":")[2].isdigit() for it in found)
