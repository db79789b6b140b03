"""What a person gets wrong in YAML, and what they are told."""

import contextlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.strictyaml import Document, DocumentError, Duration, Regex, Secret, load, loads


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    every: Duration = Duration(3)
    secret: Secret | None = None
    match: Regex = Regex("")


class Whole(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    count: int = 0
    parts: dict[str, Part] = {}
    row: list[Part] = []
    note: str | None = None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("count: x", "f:1: count: expected int, got str"),
        ("a: 1", "f:1: a: unknown key; valid keys: count, parts, row, note"),
        ("\nconut: 1", "f:2: conut: unknown key; did you mean 'count'?"),
        (
            "parts:\n  a: {}\n  b: {evry: 3s}",
            "f:3: parts.b.evry: unknown key; did you mean 'every'?",
        ),
        ("parts:\n  a: {}\n  b:\n    every: 3", "f:4: parts.b.every: 3 is not a duration"),
        ("row:\n- every: 1s\n- match: '('", "f:3: row[1].match: '(' is not an RE2"),
        ("row:\n- match: '(?<=a)b'", "f:2: row[0].match: "),
        ("row: [{secret: hunter2}]", "a secret is not written here; use !env NAME or !file PATH"),
        (
            "row: [{secret: !env JIANWEI_NOT_SET}]",
            "the environment variable JIANWEI_NOT_SET is not",
        ),
        ("row: [{secret: !file /nonexistent}]", "cannot read the secret"),
        ("row: [{secret: !prompt Password}]", "nobody can be asked for it here; use !env NAME"),
        ("count: !env HOME", "f:1: count: !env and !file are only for secrets"),
        ("count: 1\ncount: 2", "f:2: the key 'count' is written twice"),
        ("row: [", "is not YAML"),
        ("- 1", "f:1: document: expected mapping, got list"),
        ("note: !!python/object:os.system x", "f:1: "),
        ("? [a]\n: 1", "f:1: a key must be plain text"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(DocumentError) as error:
        loads(text, Whole, "f")
    assert message in str(error.value)
    assert "hunter2" not in str(error.value)


def test_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for i in range(1, 9):
        lines.append(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]")
    with pytest.raises(DocumentError, match="too many parts"):
        Document("\n".join(lines), "f")


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(DocumentError):
        Document("[" * 5000 + "]" * 5000, "f")


def test_secrets_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("t0ken\n")
    monkeypatch.setenv("JIANWEI_TEST_SECRET", "s3cret")
    text = f"row: [{{secret: !env JIANWEI_TEST_SECRET}}, {{secret: !file {tmp_path}/token}}]"
    whole = loads(text, Whole)
    assert [part.secret.reveal() for part in whole.row if part.secret] == ["s3cret", "t0ken"]
    assert "s3cret" not in repr(whole)
    assert "t0ken" not in str(whole)


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("3s", 3), ("1m30s", 90), ("2h", 7200), ("1.5d", 129600)]
)
def test_durations(text: str, seconds: float) -> None:
    assert Duration.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "3", "s", "3 s", "-3s", "3s x", "1e3s", None, 3])
def test_no_durations(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        Duration.parse(text)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"none\.yaml: cannot be read: No such file"):
        load(str(tmp_path / "none.yaml"), Whole)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_text_is_a_document_or_a_clear_error(text: bytes | str) -> None:
    with contextlib.suppress(DocumentError):
        loads(text, Whole)
