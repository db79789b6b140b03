"""Deliveries: what goes to whom, over real SMTP and HTTPS, and never twice."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import socket
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import strictyaml
from collectors.strictyaml import DocumentError, Secret
from exporters.report.delivery.deliver import deliver, failed
from exporters.report.delivery.ledger import LedgerError
from exporters.report.delivery.outcome import Outcome
from exporters.report.delivery.plan import Edition, edition, parcels
from exporters.report.delivery.settings import (
    DeliverySettings,
    Mailbox,
    SmtpSettings,
    WebhookSettings,
    located,
)
from exporters.report.document import Document, Estate, Load, Scope, Source, Sums
from rules.model import Text
from tests.exporters import hookserver, smtpserver
from tests.exporters.certificates import Authority

NOW = datetime(2026, 11, 2, 6, 10, tzinfo=UTC)
ONE, TWO, THREE = (
    Mailbox("a@city.example"),
    Mailbox("主任 <b@city.example>"),
    Mailbox("c@d.example"),
)
SENDER = Mailbox("资源通报 <report@city.example>")


def document(department: str | None = None, city: str = "滨海市", data: str = "1" * 64) -> Document:
    scope = Scope(
        city=city, month="2026-10", since=NOW, until=NOW, zone="Asia/Shanghai", made=NOW,
        source=Source("history", "h.db"), data_hash=data, thresholds="2" * 64, parameters={},
        days=31, days_in_month=31, department=department, issuer="市数据局",
    )  # fmt: skip
    summary = (Text(f"{department or '全市'}的概况。", f"Summary of {department or 'all'}."),)
    estate = Estate((), Sums(), {}, {}, Load(), (), (), Sums(), Sums())
    return Document(scope, summary, (), estate, (), None, (), (), ())


def whole(**more: Any) -> Edition:
    files = {
        "通报-2026-10.pdf": b"%PDF-1.7",
        "通报-2026-10.xlsx": b"PK" * 50,
        "report.html": b"<p>",
    }
    return edition(document(**more), files)


def excerpt(name: str) -> Edition:
    return edition(document(name), {f"{name}.pdf": name.encode(), f"{name}.xlsx": b"PK"})


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def tls(authority: Authority, tmp_path: Path) -> ssl.SSLContext:
    (tmp_path / "ca.crt").write_bytes(authority.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("mail").write(tmp_path, "server"))
    return context


def smtp(port: int, folder: Path, **more: Any) -> SmtpSettings:
    given = {"to": (ONE, TWO), "ca_file": str(folder / "ca.crt"), **more}
    return SmtpSettings(host="127.0.0.1", port=port, sender=SENDER, **given)


def states(outcomes: list[Outcome]) -> list[tuple[str, str]]:
    return [(one.parcel.to, one.state) for one in outcomes]


def body_of(message: EmailMessage) -> str:
    part = message.get_body()
    assert part is not None
    return str(part.get_content())


# --- what goes to whom ----------------------------------------------------------------------------


def test_a_plan() -> None:
    settings = DeliverySettings(
        folder="/srv/reports",
        smtp=SmtpSettings(
            host="m.example",
            sender=SENDER,
            to=(ONE,),
            departments={"财政局": (THREE,), "教育局": (THREE,)},
        ),
        webhook=WebhookSettings(url="https://h.example/a?token=1"),
    )
    found = parcels(settings, [whole(), excerpt("财政局"), excerpt("交通局")])
    told = [(it.key, [file.name for file in it.files], it.problem.en) for it in found]
    names = ["通报-2026-10.pdf", "通报-2026-10.xlsx"]
    assert told == [
        (
            ("folder", "/srv/reports", ""),
            [*names, "report.html", "财政局.pdf", "财政局.xlsx", "交通局.pdf", "交通局.xlsx"],
            "",
        ),
        (("smtp", "a@city.example", ""), names, ""),
        (("smtp", "c@d.example", "财政局"), ["财政局.pdf", "财政局.xlsx"], ""),
        (
            ("smtp", "c@d.example", "教育局"),
            [],
            "there is no department '教育局' in the report",
        ),
        (("webhook", "https://h.example/a", ""), [*names, "report.html"], ""),
    ]
    alone = parcels(settings, [excerpt("财政局")])
    assert [it.key for it in alone] == [
        ("folder", "/srv/reports", "财政局"),
        ("smtp", "c@d.example", "财政局"),
    ]
    assert parcels(DeliverySettings(), [whole()]) == []
    with pytest.raises(ValueError, match="one name"):
        parcels(settings, [whole(), whole()])


@pytest.mark.parametrize("name", ["", "..", "a/b", "/etc/passwd", "a/"])
def test_a_file_name_has_no_folder(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a file"):
        edition(document(), {name: b""})


# --- folder ---------------------------------------------------------------------------------------


def test_folder(tmp_path: Path) -> None:
    settings = DeliverySettings(folder=str(tmp_path / "share"))
    outcomes = deliver(settings, [whole(), excerpt("财政局")], tmp_path / "state", NOW)
    assert states(outcomes) == [(str(tmp_path / "share"), "delivered")]
    assert (tmp_path / "share/2026-10/财政局.pdf").read_bytes() == "财政局".encode()
    assert len(list((tmp_path / "share/2026-10").iterdir())) == 5


def test_a_folder_that_cannot_be_written_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "share").write_text("a file")
    with hookserver.serving(None) as server:
        settings = DeliverySettings(
            folder=str(tmp_path / "share"), webhook=WebhookSettings(url=server.url)
        )
        outcomes = deliver(settings, [whole()], tmp_path / "state", NOW)
        assert [one.state for one in outcomes] == ["failed", "delivered"]
        assert failed(outcomes)
        assert "share/2026-10: Not a directory" in outcomes[0].line("en")
        assert outcomes[0].line("zh").startswith("目录 ")


# --- mail -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["starttls", "tls"])
def test_mail(how: str, tls: ssl.SSLContext, tmp_path: Path) -> None:
    with smtpserver.serving(tls, how == "tls") as server:
        server.users = {"u": "pass word"}
        it = smtp(server.port, tmp_path, tls=how, user="u", password=Secret("pass word"))
        it = msgspec.structs.replace(it, departments={"财政局": (THREE,)})
        settings = DeliverySettings(smtp=it)
        outcomes = deliver(settings, [whole(), excerpt("财政局")], tmp_path / "state", NOW)
    assert [one.state for one in outcomes] == ["delivered"] * 3
    assert server.connections == 1
    assert all(mail.encrypted and mail.user == "u" for mail in server.mails)
    assert [mail.to for mail in server.mails] == [(one.address,) for one in (ONE, TWO, THREE)]
    first, second, third = (mail.message for mail in server.mails)
    assert (
        first["Subject"] == "滨海市2026年10月资源使用通报 / 滨海市: utilisation report for 2026-10"
    )
    assert str(second["To"]) == "主任 <b@city.example>"
    assert str(second["From"]) == "资源通报 <report@city.example>"
    assert "全市的概况。" in body_of(first)
    assert "Summary of all." in body_of(first)
    attached = {part.get_filename(): part for part in first.iter_attachments()}
    assert list(attached) == ["通报-2026-10.pdf", "通报-2026-10.xlsx"]
    assert attached["通报-2026-10.pdf"].get_content() == b"%PDF-1.7"
    assert attached["通报-2026-10.pdf"].get_content_type() == "application/pdf"
    assert hashlib.sha256(b"%PDF-1.7").hexdigest() in body_of(first)
    # an excerpt has nothing of the others
    assert "财政局" in str(third["Subject"])
    assert "财政局的概况。" in body_of(third)
    assert "全市" not in third.as_string()
    assert [part.get_filename() for part in third.iter_attachments()] == [
        "财政局.pdf",
        "财政局.xlsx",
    ]


def test_nothing_is_delivered_twice(tls: ssl.SSLContext, tmp_path: Path) -> None:
    """One address is refused at first: a retry is for it alone."""
    with smtpserver.serving(tls) as server:
        settings = DeliverySettings(smtp=smtp(server.port, tmp_path))
        server.refuse.add(TWO.address)
        first = deliver(settings, [whole()], tmp_path / "state", NOW)
        assert [one.state for one in first] == ["delivered", "failed"]
        assert "550 5.1.1 no such user" in first[1].line("en")
        server.refuse.clear()
        second = deliver(settings, [whole()], tmp_path / "state", NOW)
        assert [one.state for one in second] == ["already", "delivered"]
        assert not failed(second)
        other = deliver(settings, [whole(data="3" * 64)], tmp_path / "state", NOW)
        assert [(one.state, one.other) for one in other] == [("already", True)] * 2
        assert "--again" in other[0].line("en")
        assert [mail.to[0] for mail in server.mails] == [ONE.address, TWO.address]
        again = deliver(settings, [whole()], tmp_path / "state", NOW, again=True)
        assert [one.state for one in again] == ["delivered"] * 2
        assert len(server.mails) == 4
        ids = [mail.message["Message-ID"] for mail in server.mails]
        assert ids[0] == ids[2] != ids[1]


def test_hostile_words_are_no_headers(tls: ssl.SSLContext, tmp_path: Path) -> None:
    bad = "x\r\nBcc: evil@example.org\n\n.\r\nMAIL FROM:<e@e>"
    with smtpserver.serving(tls) as server:
        it = smtp(server.port, tmp_path, to=(), departments={bad: (ONE,)})
        edited = edition(document(bad, city=bad), {f"{'a'}\r\nBcc: e@e.pdf": b"%PDF"})
        outcomes = deliver(DeliverySettings(smtp=it), [edited], tmp_path / "state", NOW)
    assert [one.state for one in outcomes] == ["delivered"]
    (mail,) = server.mails
    assert mail.to == (ONE.address,)
    assert "Bcc" not in mail.message
    assert [command.split()[0].upper() for command in server.commands].count("MAIL") == 1
    assert all("\n" not in str(value) for value in mail.message.values())
    assert "\n" not in outcomes[0].line("zh")


def test_what_a_mail_server_refuses_is_told(tls: ssl.SSLContext, tmp_path: Path) -> None:
    def told(server: smtpserver.SmtpServer, **more: Any) -> list[str]:
        state = tmp_path / f"state{len(list(tmp_path.iterdir()))}"
        it = DeliverySettings(smtp=smtp(server.port, tmp_path, **more))
        return [one.line("en") for one in deliver(it, [whole()], state, NOW)]

    with smtpserver.serving(tls) as server:
        server.users = {"u": "right"}
        lines = told(server, user="u", password=Secret("secretwrong"))
        assert all("the password was refused: 535" in line for line in lines)
        assert "secretwrong" not in str(lines)
        server.users = {}
        server.size = 1000
        assert "more than the 0.0 MiB that the server takes" in told(server)[0]
        server.size = 0
        server.answers = [b"554 5.3.4 too big"]
        assert "it answered 554 5.3.4 too big" in told(server)[0]
        server.hang_up = 1
        lines = told(server)
        assert "it ended the connection" in lines[0]
        assert lines[1].endswith(": delivered")
        big = edition(document(), {"a.pdf": b"x" * 70_000})
        it = DeliverySettings(smtp=smtp(server.port, tmp_path, to=(ONE,), max_bytes=1 << 16))
        before = server.connections
        (outcome,) = deliver(it, [big], tmp_path / "big", NOW)
        assert "leave out one of formats, or raise max_bytes" in outcome.line("en")
        assert server.connections == before
    with smtpserver.serving(None) as plain:
        assert "STARTTLS" in told(plain)[0]
        assert not plain.mails
    gone = plain.port
    (tmp_path / "other.crt").write_bytes(Authority("Another").pem)
    with smtpserver.serving(tls) as server:
        lines = told(server, ca_file=str(tmp_path / "other.crt"))
        assert all("its certificate is not trusted" in line for line in lines)
        assert server.connections == 1  # it is not tried once more for each
        assert not server.mails
    it = DeliverySettings(smtp=smtp(gone, tmp_path))
    assert "refused" in deliver(it, [whole()], tmp_path / "gone", NOW)[0].line("en")


def test_without_tls_on_this_machine(tmp_path: Path) -> None:
    with smtpserver.serving(None) as server:
        it = SmtpSettings(host="127.0.0.1", port=server.port, sender=SENDER, to=(ONE,), tls="none")
        assert not failed(deliver(DeliverySettings(smtp=it), [whole()], tmp_path, NOW))


# --- webhook --------------------------------------------------------------------------------------


def test_webhook(tls: ssl.SSLContext, tmp_path: Path) -> None:
    with hookserver.serving(tls) as server:
        it = WebhookSettings(
            url=f"{server.url}?key=hidden",
            ca_file=str(tmp_path / "ca.crt"),
            secret=Secret("s3"),
            headers={"Authorization": Secret("Bearer t")},
        )
        outcomes = deliver(DeliverySettings(webhook=it), [whole()], tmp_path / "s", NOW)
        assert [one.state for one in outcomes] == ["delivered"]
        assert "hidden" not in outcomes[0].line("zh")
    (hook,) = server.hooks
    assert hook.path == "/hook?key=hidden"
    assert hook.headers["authorization"] == "Bearer t"
    assert hook.headers["content-type"] == "application/json"
    told = json.loads(hook.body)
    assert told["month"] == "2026-10"
    assert told["summary"] == [{"zh": "全市的概况。", "en": "Summary of all."}]
    assert told["files"][0] == {
        "name": "通报-2026-10.pdf",
        "format": "pdf",
        "bytes": 8,
        "sha256": hashlib.sha256(b"%PDF-1.7").hexdigest(),
    }
    signed = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", hook.headers["x-jianwei-signature"])
    assert signed
    body = f"{signed[1]}.".encode() + hook.body
    assert hmac.new(b"s3", body, hashlib.sha256).hexdigest() == signed[2]


def test_webhook_with_files(tls: ssl.SSLContext, tmp_path: Path) -> None:
    with hookserver.serving(tls) as server:
        it = WebhookSettings(
            url=server.url, ca_file=str(tmp_path / "ca.crt"), secret=Secret("s"), files=True,
            formats=("pdf",),
        )  # fmt: skip
        deliver(DeliverySettings(webhook=it), [whole()], tmp_path / "s", NOW)
    (hook,) = server.hooks
    assert hook.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert hook.body.count(b"Content-Disposition: form-data") == 2
    assert b'name="report"; filename="report.json"' in hook.body
    assert "通报-2026-10.pdf".encode() in hook.body
    assert b"%PDF-1.7" in hook.body
    at = hook.headers["x-jianwei-signature"].partition(",")[0].removeprefix("t=")
    signed = hmac.new(b"s", f"{at}.".encode() + hook.body, hashlib.sha256).hexdigest()
    assert hook.headers["x-jianwei-signature"].endswith(signed)


def test_webhook_tries_again_where_it_may_help(tmp_path: Path) -> None:
    waits: list[float] = []
    with hookserver.serving(None) as server:
        it = DeliverySettings(webhook=WebhookSettings(url=server.url))
        server.answers = [None, (503, {}), (429, {"Retry-After": "7"})]
        assert not failed(deliver(it, [whole()], tmp_path / "a", NOW, sleep=waits.append))
        assert waits == [1, 2, 7]
        assert len({hook.headers["idempotency-key"] for hook in server.hooks}) == 1
        server.answers = [(500, {})] * 9
        (outcome,) = deliver(it, [whole()], tmp_path / "b", NOW, sleep=waits.append)
        assert "it answered 500" in outcome.line("en")
        assert len(server.answers) == 5
        server.answers = [(403, {})]
        (outcome,) = deliver(it, [whole()], tmp_path / "b", NOW, sleep=waits.append)
        assert "403" in outcome.line("en")
        assert len(server.hooks) == 9


def test_webhook_goes_nowhere_else(tmp_path: Path) -> None:
    with hookserver.serving(None) as server, hookserver.serving(None) as other:
        it = DeliverySettings(webhook=WebhookSettings(url=server.url))
        for status in (301, 302, 307, 308):
            server.answers = [(status, {"Location": other.url})]
            (outcome,) = deliver(it, [whole()], tmp_path, NOW)
            assert "points elsewhere" in outcome.line("en")
        assert other.hooks == []


def test_webhook_to_whom_nobody_vouches_for(tls: ssl.SSLContext, tmp_path: Path) -> None:
    waits: list[float] = []
    with hookserver.serving(tls) as server:
        it = DeliverySettings(webhook=WebhookSettings(url=server.url))
        (outcome,) = deliver(it, [whole()], tmp_path / "s", NOW, sleep=waits.append)
        assert "certificate verify failed" in outcome.line("en")
        assert server.hooks == []
        assert waits == []
        wrong = WebhookSettings(url=server.url, ca_file=str(tmp_path / "none.crt"))
        (outcome,) = deliver(DeliverySettings(webhook=wrong), [whole()], tmp_path / "s", NOW)
        assert "ca_file" in outcome.line("en")


def test_webhook_that_does_not_answer(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        settings = strictyaml.loads(
            f"webhook: {{url: '{url}', timeout: 100ms, retries: 0}}", DeliverySettings
        )
        (outcome,) = deliver(settings, [whole()], tmp_path, NOW)
        assert "no answer in time" in outcome.line("en")


# --- what was delivered ---------------------------------------------------------------------------


def test_a_ledger_that_cannot_be_read_stops_all(tmp_path: Path) -> None:
    settings = DeliverySettings(folder=str(tmp_path / "share"))
    state = tmp_path / "delivered-2026-10.json"
    for content in (b"", b"[]", b'{"month": "2026-10", "delivered": [{}]}', b'{"month": "\xff"}'):
        state.write_bytes(content)
        with pytest.raises(LedgerError, match=r"delivered-2026-10.json: cannot be read"):
            deliver(settings, [whole()], tmp_path, NOW)
    state.write_bytes(b'{"month": "2026-09"}')
    with pytest.raises(LedgerError, match="not of 2026-10"):
        deliver(settings, [whole()], tmp_path, NOW)
    assert not (tmp_path / "share").exists()
    state.unlink()
    assert not failed(deliver(settings, [whole()], tmp_path, NOW))
    assert state.stat().st_mode & 0o077 == 0


# --- settings -------------------------------------------------------------------------------------

PROFILE = """
folder: reports
smtp:
  host: mail.city.example
  from: 资源通报 <report@city.example>
  user: report
  password: !file pw
  to: [a@city.example]
  departments: {财政局: [c@d.example]}
  formats: [pdf, xlsx]
  ca_file: ca.crt
webhook: {url: "https://oa.city.example/hook", secret: !file pw, files: true}
"""


def test_settings(tmp_path: Path) -> None:
    path = tmp_path / "city.yaml"
    path.write_text(PROFILE)
    (tmp_path / "pw").write_text("hidden\n")
    read = located(strictyaml.load(str(path), DeliverySettings), str(tmp_path))
    assert read.folder == str(tmp_path / "reports")
    assert read.smtp
    assert read.smtp.ca_file == str(tmp_path / "ca.crt")
    assert read.smtp.endpoint == ("mail.city.example", 587)
    assert read.smtp.password
    assert read.smtp.password.reveal() == "hidden"
    assert "hidden" not in repr(read)
    assert located(DeliverySettings(), "/etc") == DeliverySettings()
    assert not DeliverySettings().wanted
    assert read.wanted


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("smpt: {}", "did you mean 'smtp'"),
        ("smtp: {host: m, from: a@b.example}", "nobody in to"),
        ("smtp: {host: m, from: a@b.example, to: [a b@c]}", "not an address"),
        ("smtp: {host: m, from: a@b.example, to: ['a@b,c@d']}", "not an address"),
        ('smtp: {host: m, from: a@b.example, to: ["a@b\\nBcc: c@d"]}', "not an address"),
        ("smtp: {host: m, from: a@b.example, to: [a@b], tls: none}", "on this machine only"),
        ("smtp: {host: m, from: a@b.example, to: [a@b], user: u}", "go together"),
        ("smtp: {host: m, from: a@b.example, to: [a@b], password: x}", "secret is not written"),
        ("smtp: {host: m, from: a@b.example, to: [a@b], formats: [doc]}", "not one of: csv"),
        ("smtp: {host: m, from: a@b.example, to: [a@b], user: ü, password: !env PATH}", "ASCII"),
        ("smtp: {host: 'm x', from: a@b.example, to: [a@b]}", "not the name or address"),
        ("webhook: {url: 'http://h.example/'}", "is not https"),
        ("webhook: {url: 'https://u:p@h.example/'}", "is not https"),
        ("webhook: {url: 'https://h:99999/'}", "[Pp]ort"),
        ("webhook: {url: 'https://h/', headers: {Host: !env PATH}}", "cannot be a header"),
    ],
)
def test_settings_that_are_wrong(text: str, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        strictyaml.loads(text, DeliverySettings, "city.yaml")


@given(st.text() | st.text(alphabet='ab@.<>",: \n\r甲'))
def test_any_address_is_one_or_refused(text: str) -> None:
    try:
        box = Mailbox.parse(text)
    except ValueError:
        return
    header = str(box.header())
    assert "\n" not in header
    assert "\r" not in header
    assert box.address.count("@") >= 1
    message = EmailMessage()
    message["To"] = box.header()
    assert [one.addr_spec for one in message["To"].addresses] == [box.address]
