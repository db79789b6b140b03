"""The landing page: what it shows, in both languages, and that nothing shown can be markup."""

import re
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.model import Family, ProbeResult, Reason, counter, gauge, sample
from collectors.observe import Failure, Observation
from exporters.prometheus import landing
from exporters.prometheus.landing import LINKS, page
from exporters.prometheus.landingtext import TEXT, duration, rate, size, text
from exporters.prometheus.overview import (
    CPU,
    RECEIVED,
    Ipv6State,
    Overview,
    PackScore,
    rated,
    usage,
)
from exporters.prometheus.style import CSS
from tests.exporters.httpserver import SmallBackend, running

ZONE = timezone(timedelta(hours=8), "CST")
NOW = datetime(2026, 11, 22, 11, 40, tzinfo=ZONE)
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


def observed(*families: Family) -> Observation:
    return Observation("all", 0.001, families)


def cpu(idle: float, user: float) -> Family:
    return counter(
        "node_cpu_seconds_total",
        "A.",
        *(
            sample(value, cpu=number, mode=mode)
            for number in ("0", "1")
            for mode, value in (("idle", idle), ("user", user), ("iowait", 0.0))
        ),
    )


def disk(mountpoint: str, **values: float) -> list[Family]:
    labels = {"device": f"/dev/{mountpoint}", "mountpoint": mountpoint, "fstype": "ext4"}
    return [gauge(f"node_filesystem_{n}", "A.", sample(v, **labels)) for n, v in values.items()]


def host(word: str) -> Overview:
    """A host on which every text that can come from outside is `word`."""
    labels = {"device": word, "mountpoint": word, "fstype": word}
    return Overview(
        version=word,
        now=NOW,
        started=NOW,
        observations=[
            observed(
                gauge("node_uname_info", "A.", sample(1, nodename=word, release=word)),
                gauge("node_os_info", "A.", sample(1, pretty_name=word)),
                gauge("node_filesystem_size_bytes", "A.", sample(9, **labels)),
                gauge("node_network_up", "A.", sample(1, device=word)),
            ),
            Observation(word, 0.1, failure="failed", reason=word),
        ],
        disabled=(word,),
        probes=[ProbeResult(word, word, "ipv6", word, 3, 0, (), "timeout", 1.0, word)],
        ipv6=Ipv6State((word,), (word,), 3),
        packs=[PackScore(word, {"zh": word, "en": word}, 0.5)],
        audit_problem=word,
    )


class Tags(HTMLParser):
    """The tags and attributes of a page, and whether every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", ["zh", "en"])
def test_hostile_words_stay_words(language: str) -> None:
    html = page(host(EVIL), language)
    tags = Tags(html)
    assert not tags.open
    assert not tags.seen & {"script", "img", "iframe", "style"}
    assert not {name for name in tags.attributes if name.startswith("on")}
    assert "style" not in tags.attributes  # the policy forbids it
    assert "&lt;script&gt;" in html
    assert "<script" not in html


@given(st.text(max_size=40))
def test_any_word_makes_the_same_page(word: str) -> None:
    plain, odd = Tags(page(host("a"), "zh")), Tags(page(host(word), "zh"))
    assert not odd.open
    assert odd.seen <= plain.seen
    assert odd.attributes <= plain.attributes


def test_an_empty_host_is_unknown_not_fine() -> None:
    html = page(Overview("0.1.0", NOW, NOW), "en")
    assert html.count("unknown") >= 6
    assert "0.0 %" not in html


def test_usage() -> None:
    overview = Overview(
        "0.1.0",
        NOW,
        NOW,
        observations=[
            observed(
                cpu(idle=170, user=30),
                gauge("node_boot_time_seconds", "A.", sample(1000)),
                gauge("node_time_seconds", "A.", sample(1000 + 90061)),
                *(gauge(f"node_load{n}", "A.", sample(n)) for n in (1, 5, 15)),
                gauge("node_memory_MemTotal_bytes", "A.", sample(8 << 30)),
                gauge("node_memory_MemAvailable_bytes", "A.", sample(2 << 30)),
                *disk("/", size_bytes=100, free_bytes=40, avail_bytes=20),
                counter(
                    "node_network_receive_bytes_total",
                    "A.",
                    sample(9000, device="ens3"),
                    sample(5, device="lo"),
                ),
                gauge("node_network_up", "A.", sample(1, device="ens3"), sample(0, device="ens4")),
            )
        ],
        earlier=[
            observed(
                cpu(idle=90, user=10),
                counter("node_network_receive_bytes_total", "A.", sample(1000, device="ens3")),
            )
        ],
        apart=10.0,
    )
    seen = usage(overview)
    assert seen.cpu == pytest.approx(0.2)
    assert not seen.cpu_since_boot
    assert seen.cpus == 2
    assert list(seen.load) == [1, 5, 15]
    assert seen.uptime == 90061
    assert seen.swap_total is None
    assert seen.disks[0].used == pytest.approx(0.75)  # as df counts it
    assert [(i.device, i.up, i.receive, i.transmit) for i in seen.interfaces] == [
        ("ens3", True, 800.0, None),
        ("ens4", False, None, None),
    ]
    html = page(overview, "en")
    for shown in ("20.0 %", "75.0 %", "6.0 GiB / 8.0 GiB", "1 d 1 h", "6.4 kbit/s", "2 cores"):
        assert shown in html
    boot = page(msgspec.structs.replace(overview, earlier=()), "en")
    assert "mean since boot" in boot
    # what is kept of a look is enough for the next one
    kept = rated([*overview.earlier, *overview.observations])
    assert [family.name for one in kept for family in one.families] == 2 * [CPU, RECEIVED]
    assert usage(msgspec.structs.replace(overview, earlier=rated(overview.earlier))) == seen


def test_disks() -> None:
    def overview(*families: Family) -> Overview:
        return Overview("0.1.0", NOW, NOW, observations=[observed(*families)])

    labels = {"device": "10.8.0.3:/x", "mountpoint": "/srv", "fstype": "nfs4"}
    hung = gauge("node_filesystem_device_error", "A.", sample(1, **labels))
    assert "no answer" in page(overview(hung), "en")
    again = [
        sample(100, device="/dev/vda1", mountpoint=where, fstype="ext4")
        for where in ("/var/lib/docker/x", "/")
    ]
    volatile = sample(100, device="tmpfs", mountpoint="/run", fstype="tmpfs")
    sizes = gauge("node_filesystem_size_bytes", "A.", *again, volatile)
    assert [one.mountpoint for one in usage(overview(sizes)).disks] == ["/"]


def test_scores_stand_beside_what_is_not_known() -> None:
    score = PackScore(
        "host-basics", {"zh": "主机基本安全", "en": "Host basics"}, 0.5, 4, 4, 7, 2, 1
    )
    overview = Overview("0.1.0", NOW, NOW, packs=[score], audited=NOW.astimezone(UTC))
    html = page(overview, "zh")
    assert "主机基本安全" in html
    assert "50.0 %" in html
    assert '<span class="unsure">7</span>' in html
    assert '<span class="unsure">2</span>' in html
    assert "Host basics" in page(overview, "en")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_reason_has_words(language: str) -> None:
    for reason in get_args(Reason):
        if reason:
            assert text(f"reason_{reason}", language)
    for failure in get_args(Failure):
        if failure:
            assert text(f"failure_{failure}", language)
    for words in TEXT.values():
        assert words.zh
        assert words.en


def test_every_word_is_used() -> None:
    folder = Path(landing.__file__ or "").parent
    page_source = (folder / "landing.py").read_text()
    figures = (folder / "landingtext.py").read_text().partition("def share_of")[2]
    used = set(re.findall(r"""["'](\w+)["']""", page_source + figures))
    assert not {k for k in TEXT if not k.startswith(("reason_", "failure_"))} - used


def test_figures() -> None:
    def say(key: str) -> str:
        return text(key, "en")

    assert [duration(s, say) for s in (5, 65, 7260, 90061)] == [
        "5 s",
        "1 min",
        "2 h 1 min",
        "1 d 1 h",
    ]
    assert [size(b) for b in (0, 1023, 1536, 5 << 30, 3e18)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "5.0 GiB",
        "2664.5 PiB",
    ]
    assert [rate(b) for b in (None, 0.0, 125e6, 2e15)] == [
        "—",
        "0 bit/s",
        "1.0 Gbit/s",
        "16000.0 Tbit/s",
    ]


def test_it_is_served() -> None:
    backend = SmallBackend()
    backend.shown = host("gov-node-01")
    with running(backend=backend) as site:
        chinese = site.ask("/")
        assert chinese.headers["content-type"] == "text/html; charset=utf-8"
        assert chinese.headers["content-language"] == "zh"
        assert "资源使用" in chinese.text
        policy = chinese.headers["content-security-policy"]
        assert "default-src 'none'; style-src 'self'" in policy
        assert "unsafe" not in policy
        english = site.ask("/", headers={"Accept-Language": "en-GB"})
        assert "Usage" in english.text
        assert site.ask("/?lang=en").text == english.text
        assert "资源使用" in site.ask("/?lang=zh", headers={"Accept-Language": "en"}).text
        style = site.ask("/style.css")
        assert style.headers["content-type"] == "text/css; charset=utf-8"
        assert style.text == CSS
        for path, _, link in LINKS:
            if link:
                assert f'href="{path}"' in chinese.text
                assert site.ask(path).status == 200
        assert "http://" not in chinese.text + style.text
        assert "https://" not in chinese.text + style.text
