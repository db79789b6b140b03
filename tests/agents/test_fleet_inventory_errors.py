"""What is wrong with an inventory is told at once, by file, line and key."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.fleet import inventory
from agents.fleet.inventory import MAX_HOSTS
from agents.fleet.inventoryranges import Ranged
from collectors.rowsfile import MAX_SHOWN
from collectors.strictyaml import DocumentError
from tests.agents.fleetinventories import mistakes, written
from tests.agents.test_cli_audit import run

EXAMPLE = Path(__file__).parents[2] / "deploy/fleet/example.yaml"

BAD = """\
defaults:
  user: "a b"
  password: hunter2
  labels:
    instance: x
groups:
  all: {}
  web:
    departmnt: x
hosts:
  - {name: "a[1:3]", host: "ssh://10.0.0.[1:2]"}
  - {name: "a/../b", host: "ssh://root:hunter2@x"}
  - {name: c, host: "ssh://10.0.0.9", groups: [wbe]}
  - {name: c, host: "ssh://10.0.0.9:22"}
  - name: "d[9:1]"
    host: ssh://x
    labels:
      ok: x
      __a: x
  - {name: "e[1:999999999]", host: "ssh://10.0.0.1"}
  - {name: f}
  - {name: g, host: ssh://ok, level: 5, agent: "http://x:1/", jump: [a@b, "c d"]}
  - 5
  - {name: h, host: local}
  - {name: i, host: ssh://i, port: 99999, scheme: ftp, sudo: !env HOME}
  - {name: j, host: ssh://j, groups: [web, web], variables: {"a-b": 1}, owner: "\\e[2J"}
  - {name: "\\u202Ek", host: ssh://k}
  - {name: l, host: ssh://l, agent: ":9"}
  - {name: m, host: "ssh://m", agent: "l:9"}
  - {name: "?", host: "ssh://root:a/b@c", port: "x"}
  - {name: "n[1:3]", host: "", groups: wbe}
extra: 1
"""


def test_everything_that_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    told = mistakes(written(tmp_path, BAD))
    assert told == [
        "2: defaults.user: 'a b' is no name of a user",
        "3: defaults.password: a secret is not written here; use !env NAME, !file PATH or !prompt "
        "WORDS",
        "5: defaults.labels.instance: would be the same for many hosts; leave it out",
        "7: groups.all: is every host; choose another name",
        "9: groups.web.departmnt: unknown key; did you mean 'department'?",
        "11: hosts[0].host: has 2 addresses, and name has 3 names: give both ranges of one length",
        "12: hosts[1].host: a password is not written here; use password: !env NAME, !file PATH or "
        "!prompt WORDS",
        "12: hosts[1].name: 'a/../b' is no name; write letters of any script, digits, . _ and -, "
        "the first one a letter or digit",
        "13: hosts[2].groups[0]: there is no group 'wbe'; did you mean 'web'?",
        "14: hosts[3].name: the name 'c' is on line 13 already; rename one",
        "14: hosts[3].host: 'ssh://10.0.0.9:22' is on line 13 already; leave one of the two out",
        "15: hosts[4].name: the range [9:1] ends before it begins",
        "19: hosts[4].labels.__a: names that begin with __ are Prometheus's own",
        f"20: hosts[5].name: an inventory has {MAX_HOSTS} hosts at most; make it two",
        "21: hosts[6].host: is missing",
        "22: hosts[7].level: 5 is not one of: province, city, county, town, village",
        "22: hosts[7].jump[1]: 'c d' is not ssh://user@host:port (an IPv6 address in brackets)",
        "22: hosts[7].agent: 'http://x:1/' is not host:port; write host:port, :port for the host's "
        "own address, or none",
        "23: hosts[8]: expected a mapping such as {name: …, host: ssh://…}",
        "24: hosts[9].host: 'local' is no host over SSH; write ssh://user@host:port",
        "25: hosts[10].port: expected int <= 65535",
        "25: hosts[10].scheme: 'ftp' is not one of: http, https",
        "25: hosts[10].sudo: !env, !file and !prompt are only for secrets; write the value itself",
        "26: hosts[11].owner: '\\x1b[2J' has a control character",
        "26: hosts[11].variables.a-b: 'a-b' is no name of a variable; write letters, digits and _",
        "26: hosts[11].groups[1]: 'web' is there twice",
        "27: hosts[12].name: '\\u202ek' is no name; write letters of any script, digits, . _ and -, "
        "the first one a letter or digit",
        "29: hosts[14].agent: the agent 'l:9' is on line 28 already; write agent: host:port as it "
        "is reached from here, or agent: none",
        "30: hosts[15].port: expected int, got text",
        "30: hosts[15].host: a password is not written here; use password: !env NAME, !file PATH or "
        "!prompt WORDS",
        "30: hosts[15].name: '?' is no name; write letters of any script, digits, . _ and -, "
        "the first one a letter or digit",
        "31: hosts[16].host: is empty",
        "31: hosts[16].groups[0]: there is no group 'wbe'; did you mean 'web'?",
        "32: extra: unknown key; valid keys: defaults, groups, import, hosts",
    ]
    assert "hunter2" not in "".join(told)


def test_very_many_mistakes_are_told_in_part(tmp_path: Path) -> None:
    many = "".join(f"- {{name: n{n}, host: local}}\n" for n in range(300))
    told = mistakes(written(tmp_path, f"hosts:\n{many}"))
    assert len(told) == MAX_SHOWN + 1
    assert told[-1].endswith("and 200 more")


def test_mistakes_of_both_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("name,host,groups,labels,owne\na,ssh://b,wbe,x,y\n")
    (tmp_path / "b.csv").write_text("name\nx\n")
    path = written(
        tmp_path,
        "groups: {web: {}}\nimport: [a.csv, b.csv, c.csv, d.yaml]\n"
        "hosts: [{name: a, host: ssh://a}, {name: b, host: ssh://B}]\n",
    )
    folder = f"{tmp_path}/"
    assert [line.replace(folder, "") for line in mistakes(path)] == [
        "2: import: 'd.yaml' is no CSV file: .csv or .tsv is imported",
        "a.csv:1: unknown column 'owne'; did you mean 'owner'?",
        "a.csv:2: labels: is no mapping of names to values; in a cell: name=value; name=value",
        "a.csv:2: groups[0]: there is no group 'wbe'; did you mean 'web'?",
        "a.csv:2: name: the name 'a' is on line 3 of hosts.yaml already; rename one",
        "a.csv:2: host: 'ssh://b' is on line 3 of hosts.yaml already; leave one of the two out",
        "b.csv:1: there is no column 'host'",
        "c.csv: cannot be read: No such file or directory",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "1: document: expected a mapping with the key hosts"),
        ("hosts: []", "1: hosts: there is no host"),
        ("hosts: {}", "1: hosts: expected a list of hosts"),
        ("hosts: [{name: a, name: b, host: c}]", "1: the key 'name' is written twice"),
        (
            "defaults: 5\nhosts: [{name: a, host: b}]",
            "1: defaults: expected a mapping of keys to values",
        ),
        (
            "groups: [a]\nhosts: [{name: a, host: b}]",
            "1: groups: expected a mapping of names to values",
        ),
        (
            "hosts: [{name: a, host: 10.0.0.300}]",
            "1: hosts[0].host: '10.0.0.300' is no IPv4 address: four numbers of 0 to 255",
        ),
        ("import: 5", "1: import: expected a CSV file, or a list of them"),
    ],
)
def test_documents_that_are_no_inventory(tmp_path: Path, text: str, told: str) -> None:
    assert told in mistakes(written(tmp_path, text))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["name", "host", "groups", "labels", "variables", "jump", "agent", "password", "config"]
)


@settings(max_examples=50)
@example({}, [{"name": "a", "host": "b", "labels": {"²": "", "9" * 5000: ""}}])
@given(
    st.dictionaries(st.sampled_from(["defaults", "groups", "hosts"]), ANYTHING),
    st.lists(st.dictionaries(KEYS, ANYTHING), max_size=3),
)
def test_anything_is_an_inventory_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any], rows: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "anything.yaml"
    path.write_text(json.dumps({"hosts": rows, **document}))
    with contextlib.suppress(DocumentError):
        inventory.load(str(path), (), lambda _: "x")


def test_check_config_tells_what_an_inventory_means(tmp_path: Path) -> None:
    done = run("check-config", str(EXAMPLE))
    assert done.exit_code == 0
    assert "hosts       15 (2 over jump hosts, 15 with sudo)" in done.stdout
    assert "agents      13 for Prometheus, 12 by http, 1 by https" in done.stdout
    assert run("check-config", str(EXAMPLE.with_suffix(".csv"))).exit_code == 0
    wrong = run("check-config", written(tmp_path, BAD))
    assert wrong.exit_code == 2
    assert f"{tmp_path}/hosts.yaml:32: extra: unknown key" in wrong.stderr
    plain = json.loads(run("check-config", "--json", str(EXAMPLE)).stdout)
    assert [it["name"] for it in plain][:2] == ["vm-001", "vm-002"]
    recorded = written(tmp_path, "hosts: [{name: a, host: 'recorded: x'}]")
    assert "hosts       1" in run("check-config", recorded).stdout


def test_a_row_that_is_wrong_is_not_spread_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A range may be of very many: where the lengths differ, none of it is made."""
    monkeypatch.delattr(Ranged, "all")
    text = 'hosts:\n  - {name: "", host: "h[1:999999999]"}\n  - {name: "n[1:3]", host: ""}\n'
    assert len(mistakes(written(tmp_path, text))) == 2
