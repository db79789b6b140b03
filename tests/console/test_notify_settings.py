"""The keys `notify` and `itsm` of the configuration: what is read, and what is said where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from collectors.strictyaml import DocumentError
from exporters.console import settings

WHOLE = """
public_url: https://console.example
notify:
  smtp: {host: mail.example.org, from: 见微 <jianwei@example.org>, ca_file: ca.pem}
  receivers:
    值班群: {format: wecom, url: !env ROBOT_URL}
    ops: {format: dingtalk, url: !env ROBOT_URL, secret: !env ROBOT_SECRET, language: en}
    people: {format: mail, to: [a@example.org]}
  rules:
    - {receivers: [值班群, ops], events: [new, regressed], severity: high, departments: [市财政局]}
    - {receivers: [people]}
  quiet: {begins: "22:00", ends: "08:00"}
  digest: 5m
itsm:
  url: https://itsm.example/api/incident
  headers: {Authorization: !env ROBOT_SECRET}
  body: {title: "[{severity}] {title}", url: "{url}"}
  number: result.number
  close: {url: "https://itsm.example/api/incident/{number}", method: PATCH, body: {state: 6}}
metrics_token: !env ROBOT_SECRET
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROBOT_URL", "https://robot.example/send?key=KEYKEYKEY")
    monkeypatch.setenv("ROBOT_SECRET", "SECSECSEC")


def test_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "console.yml"
    path.write_text(WHOLE)
    found = settings.load(str(path))
    assert list(found.notify.receivers) == ["值班群", "ops", "people"]
    assert found.notify.smtp
    assert found.notify.smtp.ca_file == f"{tmp_path}/ca.pem"
    assert found.itsm
    assert found.itsm.shown == "https://itsm.example"
    assert "SECSECSEC" not in repr(found)
    assert "KEYKEYKEY" not in repr(found)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "format: wecom",
            "format: wechat",
            "console.yml:6: notify.receivers.值班群.format: 'wechat' is not one of",
        ),
        ("url: !env ROBOT_URL}", "url: https://robot.example/}", "a secret is not written here"),
        ("receivers: [people]", "receivers: [nobody]", "there is no receiver 'nobody'"),
        (
            "{receivers: [people]}",
            "{receivers: [people], events: [newest]}",
            "'newest' is not one of",
        ),
        ("to: [a@example.org]", "to: []", "format: mail has addresses in to"),
        ('"22:00"', '"24:00"', "is not a time of day"),
        ("{title}", "{titel}", "there is no {titel}"),
        ("number: result.number", "number: a b", "is not a path"),
        ("https://itsm.example/api/incident\n", "http://itsm.example/\n", "is not https://HOST"),
        ("digest: 5m", "digest: 1s", "digest must be 10s or more"),
    ],
)
def test_what_is_wrong(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in WHOLE
    path = tmp_path / "console.yml"
    path.write_text(WHOLE.replace(old, new, 1))
    with pytest.raises(DocumentError) as caught:
        settings.load(str(path))
    assert problem in str(caught.value)
    assert str(caught.value).startswith(f"{path}:")
    assert "KEYKEYKEY" not in str(caught.value)
