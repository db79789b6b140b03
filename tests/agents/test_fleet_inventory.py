"""The inventory: precedence, ranges, tables, secrets, and what is wrong told by file, line and key."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import UserError
from agents.fleet import inventory
from agents.fleet.inventory import MAX_HOSTS
from agents.fleet.inventoryfile import InventoryErrors
from agents.fleet.inventoryranges import Ranged, RangeError
from agents.fleet.model import FleetHost
from collectors.rowsfile import MAX_SHOWN
from collectors.strictyaml import DocumentError
from tests.agentlab import eventually
from tests.agents.test_cli_audit import run

DEPLOY = Path(__file__).parents[2] / "deploy/fleet"


def written(folder: Path, text: str, name: str = "hosts.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def hosts(folder: Path, text: str) -> dict[str, FleetHost]:
    return {host.name: host for host in inventory.load(written(folder, text))}


def mistakes(path: str) -> list[str]:
    """Without the path of the inventory itself."""
    with pytest.raises(DocumentError) as caught:
        inventory.load(path)
    return str(caught.value).replace(f"{path}:", "").splitlines()


def test_the_example_is_right() -> None:
    found = {host.name: host for host in inventory.load(str(DEPLOY / "example.yaml"))}
    assert len(found) == 15
    twelfth, db, front = found["vm-012"], found["db-01"], found["医保-前置机"]
    assert (twelfth.address, twelfth.agent) == ("ssh://192.0.2.12", "192.0.2.12:9808")
    assert (twelfth.department, twelfth.region, twelfth.ssh.user) == ("财政局", "金平区", "deploy")
    assert (db.level, db.agent, db.scheme) == ("city", "db-01.example.gov.cn:9443", "https")
    assert db.variables == {"console": "https://jianwei.example.gov.cn", "role": "database"}
    assert front.groups == ("health", "db")
    assert front.labels == {"rack": "b", "tier": "silver"}
    assert front.ssh.jump == "ops@jump.example.gov.cn,ops@198.51.100.7:2222"
    assert (front.agent, front.rise) == ("", "sudo")


def test_a_host_that_says_nothing_else(tmp_path: Path) -> None:
    found = hosts(tmp_path, "hosts: [{name: a, host: 'ssh://[2001:db8::1]'}, {name: b, host: c}]")
    assert found["a"] == FleetHost(
        name="a", address="ssh://[2001:db8::1]", agent="[2001:db8::1]:9808"
    )
    assert found["b"].address == "ssh://c"


WORDS = st.sampled_from(["a", "b", "c", ""])
SAID = st.fixed_dictionaries(
    {},
    optional={
        "department": WORDS,
        "owner": WORDS,
        "user": st.sampled_from(["x", "y"]),
        "port": st.integers(1, 65535),
        "labels": st.dictionaries(st.sampled_from(["l1", "l2", "l3"]), WORDS),
        "variables": st.dictionaries(st.sampled_from(["v1", "v2", "v3"]), st.integers(0, 5)),
    },
)


def nearest_first(layers: Sequence[Mapping[str, Any]], key: str, name: str = "") -> Any:
    """What counts, found the other way round than by merging."""
    for layer in layers:
        value = layer.get(key)
        if name:
            value = (value or {}).get(name)
        if value is not None:
            return value
    return None


@given(defaults=SAID, groups=st.lists(SAID, max_size=4), host=SAID, data=st.data())
def test_what_is_nearer_to_the_host_counts(
    tmp_path_factory: pytest.TempPathFactory,
    defaults: dict[str, Any],
    groups: list[dict[str, Any]],
    host: dict[str, Any],
    data: st.DataObject,
) -> None:
    names = [f"g{number}" for number in range(len(groups))]
    order = data.draw(st.permutations(names))
    chosen = order[: data.draw(st.integers(0, len(names)))]
    document = {
        "defaults": defaults,
        "groups": dict(zip(names, groups, strict=True)),
        "hosts": [{"name": "h", "host": "ssh://h", "groups": chosen, **host}],
    }
    path = tmp_path_factory.getbasetemp() / "precedence.yaml"
    path.write_text(yaml.safe_dump(document))
    (found,) = inventory.load(str(path))
    layers = [host, *(groups[names.index(name)] for name in reversed(chosen)), defaults]
    assert found.department == (nearest_first(layers, "department") or "")
    assert found.owner == (nearest_first(layers, "owner") or "")
    assert found.ssh.user == (nearest_first(layers, "user") or "")
    assert found.ssh.port == nearest_first(layers, "port")
    for key, said in (("labels", found.labels), ("variables", found.variables)):
        wanted = {
            name: nearest_first(layers, key, name) for n in "123" for name in [f"{key[0]}{n}"]
        }
        assert said == {name: str(it) for name, it in wanted.items() if it is not None}


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("vm-[001:003]", ["vm-001", "vm-002", "vm-003"]),
        ("vm-[8:10]", ["vm-8", "vm-9", "vm-10"]),
        ("[1:9:4]", ["1", "5", "9"]),
        ("r[a:c]", ["ra", "rb", "rc"]),
        ("[A:C:2]-[0:1]", ["A-0", "A-1", "C-0", "C-1"]),
        ("ssh://[2001:db8::[1:2]]:22", ["ssh://[2001:db8::1]:22", "ssh://[2001:db8::2]:22"]),
        ("ssh://[::1]", ["ssh://[::1]"]),
    ],
)
def test_ranges(text: str, made: list[str]) -> None:
    assert Ranged(text).all() == made
    assert Ranged(text).count == len(made)


@pytest.mark.parametrize("text", ["[9:1]", "[01:100]", "[1:2:0]", "[c:a]"])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(RangeError):
        Ranged(text)


@given(st.text(alphabet="[]:ab019-"))
def test_any_text_is_ranges_or_an_error(text: str) -> None:
    try:
        ranged = Ranged(text)
    except RangeError:
        return
    if ranged.count < 1000:
        assert len(ranged.all()) == ranged.count


def test_ranges_of_hosts(tmp_path: Path) -> None:
    found = hosts(
        tmp_path,
        "hosts:\n- {name: 'vm-[001:120]', host: 'ssh://10.0.1.[1:120]', agent: 'a[1:120]:1'}\n",
    )
    assert len(found) == 120
    assert (found["vm-120"].address, found["vm-120"].agent) == ("ssh://10.0.1.120", "a120:1")


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


TABLE = """名称,地址,组,系统,级别,标签,提权,跳板机,密码
前置-[1:2],ssh://root@10.0.0.[1:2]:2222,金融；db,预算一体化,区县,"rack=a；tier=gold",是,"j@a;b",!env JW_TEST_SECRET
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    monkeypatch.setenv("JW_TEST_SECRET", "s")
    path = tmp_path / "hosts.csv"
    path.write_bytes(TABLE.encode(encoding))
    one, two = inventory.load(str(path))
    assert (one.name, two.name) == ("前置-1", "前置-2")
    assert two.address == "ssh://root@10.0.0.2:2222"
    assert (two.groups, two.system, two.level) == (("金融", "db"), "预算一体化", "county")
    assert (two.labels, two.rise, two.ssh.jump) == ({"rack": "a", "tier": "gold"}, "sudo", "j@a,b")
    assert two.ssh.password
    assert two.ssh.password.reveal() == "s"


def test_a_table_in_english_beside_its_groups(tmp_path: Path) -> None:
    (tmp_path / "hosts.csv").write_text(
        "name\thost\tgroups\tvariables\tsudo\nb\tssh://b\tweb;db\tx=1;y=2\tfalse\n"
    )
    text = "groups: {web: {variables: {x: 0, z: true}}, db: }\nimport: hosts.csv\n"
    found = hosts(tmp_path, text + "hosts: [{name: a, host: ssh://a}]\n")
    assert list(found) == ["a", "b"]
    assert found["b"].variables == {"x": "1", "y": "2", "z": "true"}
    assert hosts(tmp_path, text).keys() == {"b"}


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


SECRET = """\
defaults: {sudo_password: !prompt sudo of deploy, password: !file secret}
groups: {other: {sudo_password: !env JW_TEST_SECRET}}
hosts:
- {name: "a[1:3]", host: "ssh://a[1:3]"}
- {name: b, host: ssh://b, groups: other, password: !prompt ''}
- {name: c, host: ssh://c, sudo: false}
"""


def test_secrets_are_asked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JW_TEST_SECRET", "from the environment")
    (tmp_path / "secret").write_text("from a file\n")
    path = written(tmp_path, SECRET)
    asked: list[str] = []

    def answer(words: str) -> str:
        asked.append(words)
        return f"typed {len(asked)}"

    def shown(host: FleetHost) -> tuple[str, str]:
        given = (host.ssh.password, host.sudo_password)
        return tuple(it.reveal() if it else "" for it in given)  # type: ignore[return-value]

    found = {host.name: host for host in inventory.load(path, (), answer)}
    assert asked == ["sudo of deploy", "SSH password"]
    assert shown(found["a1"]) == shown(found["a3"]) == ("from a file", "typed 1")
    assert shown(found["b"]) == ("typed 2", "from the environment")
    assert shown(found["c"]) == ("from a file", "")
    assert (found["a1"].rise, found["c"].rise) == ("sudo", "none")
    assert "typed" not in repr(found)
    inventory.load(path, ["c"], answer)
    inventory.outline(path)
    assert len(asked) == 2
    with pytest.raises(UserError, match="nothing was typed"):
        inventory.load(path, (), lambda _: "")


def test_secrets_that_are_not_there(tmp_path: Path) -> None:
    path = written(tmp_path, SECRET.replace("SECRET", "NOWHERE"))
    with pytest.raises(InventoryErrors) as caught:
        inventory.load(path, (), lambda _: "x")
    assert str(caught.value).replace(f"{path}:", "").splitlines() == [
        f"1: defaults.password: cannot read the secret: {tmp_path}/secret: cannot be read: "
        "No such file or directory",
        "2: groups.other.sudo_password: the environment variable JW_TEST_NOWHERE is not set",
    ]


def test_nobody_is_asked_where_there_is_no_terminal(tmp_path: Path) -> None:
    path = written(tmp_path, "hosts: [{name: a, host: ssh://a, password: !prompt ''}]")
    script = f"from agents.fleet.inventory import load\nload({path!r})"
    argv = [sys.executable, "-c", script]
    done = subprocess.run(
        argv, start_new_session=True, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert "UserError: SSH password: there is no terminal to ask on; write !env" in done.stderr


def test_a_terminal_is_asked_and_shows_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, "hosts: [{name: a, host: ssh://a, password: !prompt Words}]")
    terminal, theirs = pty.openpty()
    script = (
        f"import os\nos.open({os.ttyname(theirs)!r}, os.O_RDWR)\n"  # and so it is the session's
        "from agents.fleet.inventory import load\n"
        f"print('got', len(load({path!r})[0].ssh.password.reveal()))"
    )
    argv = [sys.executable, "-c", script]
    with subprocess.Popen(argv, start_new_session=True, stdout=subprocess.PIPE) as process:
        seen = b""
        while b"Words: " not in seen:
            seen += os.read(terminal, 1000)
        eventually(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO)
        os.write(terminal, b"hunter2\n")
        assert process.stdout
        assert process.stdout.read() == b"got 7\n"
    os.close(theirs)
    while b"\n" not in seen:
        seen += os.read(terminal, 1000)
    os.close(terminal)
    assert b"hunter2" not in seen


def test_paths_are_of_the_file_that_names_them(tmp_path: Path) -> None:
    for name in ("key", "agent.yaml", "sub/key"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "sub/hosts.csv").write_text("name,host,key_file\nb,ssh://b,key\n")
    found = hosts(
        tmp_path,
        "defaults: {key_file: key, config: agent.yaml, known_hosts: known}\n"
        "import: sub/hosts.csv\nhosts: [{name: a, host: ssh://a}]\n",
    )
    assert found["a"].ssh.key_file == f"{tmp_path}/key"
    assert found["b"].ssh.key_file == f"{tmp_path}/sub/key"
    assert found["a"].config == f"{tmp_path}/agent.yaml"
    assert found["a"].ssh.known_hosts == (f"{tmp_path}/known",)
    (tmp_path / "key").unlink()
    path = str(tmp_path / "hosts.yaml")
    assert mistakes(path) == [f"1: defaults.key_file: no such key file: {tmp_path}/key"]
    assert len(inventory.outline(path)) == 2


def test_a_jump_host_makes_another_address(tmp_path: Path) -> None:
    text = (
        "groups: {a: {jump: [x@j1, 'j2:2222']}, b: {jump: j3}}\nhosts:\n"
        "- {name: a, host: ssh://10.0.0.1, groups: a}\n"
        "- {name: b, host: ssh://10.0.0.1, groups: b, agent: none}\n"
        "- {name: c, host: ssh://10.0.0.2, groups: [a, b], jump: none}\n"
        "- {name: d, host: ssh://10.0.0.3, groups: [a, b]}\n"
    )
    found = hosts(tmp_path, text)
    jumps = [found[name].ssh.jump for name in "abcd"]
    assert jumps == ["x@j1,j2:2222", "j3", "none", "j3"]
    assert found["b"].agent == ""


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


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("large") / "hosts.yaml"
    with path.open("w") as file:
        file.write("defaults: {user: d}\ngroups: {a: {level: city}}\nhosts:\n")
        for n in range(MAX_HOSTS):
            where = f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"
            file.write(
                f"- {{name: vm-{n:05}, host: 'ssh://{where}', groups: [a], system: s{n % 50}}}\n"
            )
    return str(path)


def test_a_province_is_loaded(large: str) -> None:
    found = inventory.load(large, ["system=s7"])
    assert len(found) == MAX_HOSTS // 50
    assert found[1].name == "vm-00057"


def test_check_config_tells_what_an_inventory_means(tmp_path: Path) -> None:
    done = run("check-config", str(DEPLOY / "example.yaml"))
    assert done.exit_code == 0
    assert "hosts       15 (2 over jump hosts, 15 with sudo)" in done.stdout
    assert "agents      13 for Prometheus, 12 by http, 1 by https" in done.stdout
    assert run("check-config", str(DEPLOY / "example.csv")).exit_code == 0
    wrong = run("check-config", written(tmp_path, BAD))
    assert wrong.exit_code == 2
    assert f"{tmp_path}/hosts.yaml:32: extra: unknown key" in wrong.stderr
    plain = json.loads(run("check-config", "--json", str(DEPLOY / "example.yaml")).stdout)
    assert [it["name"] for it in plain][:2] == ["vm-001", "vm-002"]
    recorded = written(tmp_path, "hosts: [{name: a, host: 'recorded: x'}]")
    assert "hosts       1" in run("check-config", recorded).stdout
