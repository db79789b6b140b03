"""Configurations of hosts: what values may do to YAML, which files go with it, whose mistake is told where."""

from __future__ import annotations

import contextlib
import string
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agents.fleet.configuring import Configurations, rendered
from agents.fleet.hostside import digest
from agents.fleet.model import FleetHost
from collectors.strictyaml import DocumentError

HOST = FleetHost(
    name="web-01",
    address="ssh://admin@10.0.0.1:2222",
    department="市财政局",
    variables={"port": "9808", "seconds": "5s"},
)


def made(folder: Path, text: str, host: FleetHost = HOST) -> dict[str, bytes]:
    (folder / "site.yaml").write_text(text)
    host = msgspec.structs.replace(host, config="site.yaml")
    return dict(Configurations(str(folder), b"").of(host).files)


def test_values_take_the_place_of_text(tmp_path: Path) -> None:
    text = (
        "# for ${name}\n"
        "web:\n"
        "  listen: ['${address}:${port}']   # kept ${nothing}\n"
        "  max_connections: ${port}\n"
        "probes: {interval: '${seconds}'}\n"
        'history: {file: "/var/lib/jianwei/$${x}-${department}.db"}\n'
    )
    files = made(tmp_path, text)
    assert files["jianwei.yaml"].decode() == (
        "# for ${name}\n"
        "web:\n"
        '  listen: ["10.0.0.1:9808"]   # kept ${nothing}\n'
        "  max_connections: 9808\n"
        'probes: {interval: "5s"}\n'
        'history: {file: "/var/lib/jianwei/${x}-市财政局.db"}\n'
    )


def test_a_configuration_without_variables_is_sent_as_it_is(tmp_path: Path) -> None:
    text = "web: {listen: ['[::]:9808']}  # as it is\n"
    assert made(tmp_path, text)["jianwei.yaml"] == text.encode()


values = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("'\"\\:#{}[]&*!|>%@`,\n- $"),
    max_size=20,
)
TEMPLATES = (
    "a: ${v}",
    "a: 'x ${v} y'",
    'a: "${v}"',
    "{a: '${v}', b: 1}",
    "a: [1, '${v}']",
    "a: !file ${v}",
)


@given(values, st.sampled_from(TEMPLATES))
def test_no_value_is_more_than_a_scalar(value: str, template: str) -> None:
    try:
        text = rendered(template, "x", {"v": value})
    except DocumentError:
        assert not value.isprintable()
        return
    shape, plain = (kinds(part) for part in (text, template.replace("${v}", "word")))
    assert shape == plain
    tokens = [t.value for t in yaml.scan(text) if isinstance(t, yaml.ScalarToken)]
    assert value in tokens or f"x {value} y" in tokens


def kinds(text: str) -> list[str]:
    return [type(token).__name__ for token in yaml.scan(text)]


@given(st.text(string.printable, max_size=30))
def test_any_text_is_rendered_or_a_mistake(text: str) -> None:
    with contextlib.suppress(DocumentError):
        rendered(text + "${v}", "x", {"v": "1"})


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("web:\n  listn: ${port}\n", 2, "did you mean 'listen'"),
        ("web: {listen: ['${prot}:1']}\n", 1, "did you mean 'port'"),
        ("log:\n  level: >\n    ${name}\n", 2, "several lines"),
        ("log:\n  level: ${name}\n", 2, "'web-01' is not one of"),
        ("audit: {params: {host-basics: {max_dyas: 1}}}\n", None, "audit.params"),
        ("web: {config_file: none.yml}\n", 1, "cannot be read"),
        ("web: {config_file: ../up.yml}\n", 1, "not beside the configuration"),
        ("web: {config_file: 网页.yml}\n", 1, "no name for a file"),
        ("console:\n  url: !env HOME\n", 2, "use !file"),
        ("log: {level: ${name}}\n", 1, "must be in quotes"),
        ("a: [\n", 2, "is not YAML"),
    ],
)
def test_a_mistake_names_file_line_and_host(
    tmp_path: Path, text: str, line: int | None, words: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        made(tmp_path, text)
    assert caught.value.path == str(tmp_path / "site.yaml")
    assert caught.value.line == line
    assert "host web-01" in str(caught.value)
    assert words in str(caught.value)


def test_the_files_beside_it_go_with_it(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    for name in (
        "web.yml",
        "tls/cert.pem",
        "tls/key.pem",
        "lines-web-01.csv",
        "city.yaml",
        "other",
    ):
        (tmp_path / name).write_text(name)
    (tmp_path / "web.yml").write_text(
        "tls_server_config: {cert_file: tls/cert.pem, key_file: tls/key.pem}\n"
    )
    (tmp_path / "city.yaml").write_text("pack: city\n")
    (tmp_path / "pepper").write_text("pepper-of-the-reflector\n")
    text = (
        "web: {config_file: web.yml}\n"
        "probes: {lines_file: 'lines-${name}.csv'}\n"
        "audit: {packs: [host-basics, city.yaml]}\n"
        "stamp_reflector: {key: !file pepper}\n"
        "findings: {ocsf_file: /var/lib/jianwei/ocsf.json}\n"
        "ssh: {known_hosts: [/nowhere/known_hosts]}\n"
    )
    (tmp_path / "site.yaml").write_text(text)
    host = msgspec.structs.replace(HOST, config="site.yaml")
    files = Configurations(str(tmp_path), b"").of(host)
    assert sorted(files.files) == [
        "city.yaml",
        "jianwei.yaml",
        "lines-web-01.csv",
        "pepper",
        "tls/cert.pem",
        "tls/key.pem",
        "web.yml",
    ]
    assert files.secrets == {"pepper-of-the-reflector", "tls/key.pem"}
    assert files.sha256 == digest(files.files)
    (tmp_path / "lines-web-01.csv").write_text("another")
    assert Configurations(str(tmp_path), b"").of(host).sha256 != files.sha256


def test_a_mistake_in_a_file_beside_it_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "lines.yaml").write_text("lines:\n  - {nmae: a}\n")
    with pytest.raises(DocumentError, match="host web-01") as caught:
        made(tmp_path, "probes: {lines_file: lines.yaml}\n")
    assert (caught.value.path, caught.value.line) == (str(tmp_path / "lines.yaml"), 2)


def test_a_file_that_only_the_host_has_is_not_asked_for_here(tmp_path: Path) -> None:
    files = made(tmp_path, "probes: {modules_file: /etc/only/there.yml}\nlog: {level: info}\n")
    assert list(files) == ["jianwei.yaml"]
    with pytest.raises(DocumentError, match="unknown key"):
        made(tmp_path, "probes: {modules_file: /etc/only/there.yml}\nlgo: {level: info}\n")


def test_what_many_hosts_have_is_kept_once(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("log: {level: info}\n")
    made_once = Configurations(str(tmp_path), b"")
    found = {
        id(made_once.of(FleetHost(name=f"h{n}", address="ssh://h", config="site.yaml")))
        for n in range(2000)
    }
    assert len(found) == 1


def test_a_host_without_one_has_the_default(tmp_path: Path) -> None:
    files = Configurations(str(tmp_path), b"log: {level: info}\n").of(HOST)
    assert files.files == {"jianwei.yaml": b"log: {level: info}\n"}
