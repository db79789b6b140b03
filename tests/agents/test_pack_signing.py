"""Signed packs: openssl agrees on the signature, and an agent told to require one refuses others."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.cli import main
from rules.settings import PACKS
from rules.signing import KeyProblem, private_key, public_key

MACHINES = Path(__file__).parent.parent / "fixtures/machines"
RULES = """\
rules:
  - id: city.port
    title: {zh: 端口, en: Port}
    severity: low
    facts: [sshd]
    assert: 22 in sshd.port
    actual: sshd.port
    tests: {pass: [{sshd: {port: [22]}}], fail: [{sshd: {port: [2222]}}]}
"""
PACK = "pack: city\ntitle: {zh: 市, en: City}\nextends: host-basics\ninclude: [{file: more.yaml}]\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("city", "other"):
        openssl("genpkey", "-algorithm", "ed25519", "-out", str(tmp_path / f"{name}.key"))
        openssl(
            "pkey",
            "-in",
            str(tmp_path / f"{name}.key"),
            "-pubout",
            "-out",
            str(tmp_path / f"{name}.pub"),
        )
    (tmp_path / "city.yaml").write_text(PACK)
    (tmp_path / "more.yaml").write_text(RULES)
    (tmp_path / "agent.yaml").write_text("audit: {packs: [city.yaml], trusted_keys: [city.pub]}\n")
    return tmp_path


def sign(folder: Path, *names: str, key: str = "city.key") -> None:
    files = [str(folder / name) for name in names]
    done = run("rules", "sign", *files, "--key", str(folder / key))
    assert done.exit_code == 0, done.output


def audited(folder: Path) -> Result:
    recording = str(MACHINES / "debian12")
    return run("audit", "--config", str(folder / "agent.yaml"), "--recorded", recording)


def test_openssl_agrees(folder: Path) -> None:
    sign(folder, "city.yaml")
    raw = folder / "raw.sig"
    raw.write_bytes(base64.b64decode((folder / "city.yaml.sig").read_bytes()))
    (folder / "signed").write_bytes(b"city.yaml\n" + (folder / "city.yaml").read_bytes())
    openssl("pkeyutl", "-verify", "-pubin", "-inkey", str(folder / "city.pub"), "-rawin",
            "-in", str(folder / "signed"), "-sigfile", str(raw))  # fmt: skip


def test_signed_packs_are_taken(folder: Path) -> None:
    sign(folder, "city.yaml", "more.yaml")
    assert audited(folder).exit_code == 0
    assert run("check-config", str(folder / "agent.yaml")).exit_code == 0
    done = run("rules", "verify", str(folder / "city.yaml"), "--key", str(folder / "city.pub"))
    assert (done.exit_code, "signed by a trusted key" in done.stdout) == (0, True)


def test_unsigned_changed_or_by_another(folder: Path) -> None:
    done = audited(folder)
    assert (done.exit_code, "city.yaml: is not signed" in done.stderr) == (2, True)
    sign(folder, "city.yaml")
    done = audited(folder)
    assert (done.exit_code, "more.yaml: is not signed" in done.stderr) == (2, True)
    sign(folder, "more.yaml", key="other.key")
    done = audited(folder)
    assert (
        done.exit_code,
        "more.yaml: the signature is not of this name and content" in done.stderr,
    ) == (
        2,
        True,
    )
    sign(folder, "more.yaml")
    assert audited(folder).exit_code == 0
    (folder / "more.yaml").write_text(RULES.replace("low", "info"))
    assert audited(folder).exit_code == 2
    assert run("check-config", str(folder / "agent.yaml")).exit_code == 2
    keys = ("--key", str(folder / "other.pub"), "--key", str(folder / "city.pub"))
    done = run("rules", "verify", str(folder / "city.yaml"), str(folder / "more.yaml"), *keys)
    assert done.exit_code == 1


def test_a_pack_of_ours_needs_no_signature(folder: Path) -> None:
    (folder / "agent.yaml").write_text("audit: {packs: [mlps-l3], trusted_keys: [city.pub]}\n")
    assert audited(folder).exit_code == 0


@pytest.mark.parametrize("content", ["", "not base64!", "QUJD"])
def test_signatures_that_are_none(folder: Path, content: str) -> None:
    (folder / "city.yaml.sig").write_text(content)
    assert audited(folder).exit_code == 2


def test_keys(folder: Path) -> None:
    openssl(
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-out",
        str(folder / "ec.key"),
    )
    openssl(
        "genpkey",
        "-algorithm",
        "ed25519",
        "-aes256",
        "-pass",
        "pass:secret",
        "-out",
        str(folder / "locked.key"),
    )
    assert private_key(str(folder / "locked.key"), "secret")
    for name in ("ec.key", "city.pub", "city.yaml"):
        with pytest.raises(KeyProblem):
            private_key(str(folder / name))
    with pytest.raises(KeyProblem):
        private_key(str(folder / "locked.key"), "wrong")
    with pytest.raises(KeyProblem):
        public_key(str(folder / "city.key"))
    done = CliRunner().invoke(
        main, ["rules", "sign", str(folder / "city.yaml"), "--key", str(folder / "locked.key")], input="secret\n"
    )  # fmt: skip
    assert done.exit_code == 0
    done = run("rules", "sign", str(folder / "city.yaml"), "--key", str(folder / "none.key"))
    assert (done.exit_code, "none.key: cannot be read" in done.stderr) == (2, True)
    (folder / "agent.yaml").write_text("audit: {packs: [mlps-l3], trusted_keys: [none.pub]}\n")
    assert audited(folder).exit_code == 2


def test_a_signed_pack_does_not_stand_in_for_another(folder: Path) -> None:
    (folder / "lax.yaml").write_text(PACK + "off: {linux.sshd.no-root-login: laboratory}\n")
    sign(folder, "city.yaml", "more.yaml", "lax.yaml")
    for suffix in ("", ".sig"):
        (folder / f"city.yaml{suffix}").write_bytes((folder / f"lax.yaml{suffix}").read_bytes())
    done = audited(folder)
    assert (done.exit_code, "city.yaml: the signature is not of this name" in done.stderr) == (
        2,
        True,
    )


@pytest.mark.parametrize("way", ["link", "dots"])
def test_a_way_to_a_pack_of_ours_is_not_ours(folder: Path, way: str) -> None:
    """What the link leads to can be changed between two looks."""
    if way == "link":
        (folder / "x.yaml").symlink_to(Path(PACKS, "host-basics.yaml"))
        path = str(folder / "x.yaml")
    else:
        (folder / "deep").symlink_to(Path(PACKS, "mlps"))
        path = f"{PACKS}/../packs/host-basics.yaml"
    (folder / "agent.yaml").write_text(f"audit: {{packs: [{path}], trusted_keys: [city.pub]}}\n")
    done = audited(folder)
    assert (done.exit_code, "is not signed" in done.stderr) == (2, True)
