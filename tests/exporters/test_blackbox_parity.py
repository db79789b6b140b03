"""Our /probe and Debian's blackbox_exporter, with the same modules, at the same targets.

Both give the same series: names, types, labels; and the same values, but for what measures time.
EXCEPTIONS says where not, and why. Beyond that we have jianwei_* series. A prober more is more lines
in the lab (its MODULES and targets) and in CASES.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from collectors.link.resolve import Resolver
from collectors.link.settings import ProbeSettings
from exporters.prometheus.encoder import Encoder
from exporters.prometheus.probe import AllowList, probe
from tests.exporters.blackboxlab import EXPORTER, NGINX, PLAIN, Lab, laboratory
from tests.exporters.test_probe import pings

pytestmark = pytest.mark.skipif(
    not (EXPORTER and NGINX), reason="needs prometheus-blackbox-exporter and nginx"
)

BAD_CERTIFICATE = "what it refuses it does not show; we do, that is the time to see it"
SSL_SERIES = re.compile("probe_(ssl|tls)_.*")
# Modules and targets, by name of a series: only ours, or of another value there.
EXCEPTIONS: Mapping[tuple[str, str], Mapping[str, str]] = {
    **{
        (module, page): {SSL_SERIES.pattern: BAD_CERTIFICATE}
        for module, pages in {
            "http_2xx": ("selfsigned",),
            "http_ssl": ("expired", "early", "mismatched", "selfsigned"),
            "tls": ("tls-expired", "tls-mismatched"),
            "smtp": ("smtp-expired",),
        }.items()
        for page in pages
    },
    **{
        (module, page): {
            "probe_ssl_last_chain_expiry_timestamp_seconds": "without a verified chain theirs is "
            "in the year 1; ours is the chain presented"
        }
        for module, pages in {
            "http_insecure": ("good", "expired", "named"),
            "tls_insecure": ("tls-expired",),
        }.items()
        for page in pages
    },
    **{
        (module, "redirect"): {
            "probe_http_uncompressed_body_length": "they do not read the answer that they stay with"
        }
        for module in ("http_stay", "http_stay_old")
    },
    ("http_limit", "hello"): {
        "probe_http_uncompressed_body_length": "they count until the limit, we also what is beyond"
    },
}
TIMES = re.compile(".*(_duration_seconds|_lookup_time_seconds)$")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with laboratory(tmp_path_factory.mktemp("blackbox")) as made:
        yield made


CASES = {
    "http_2xx": (
        *PLAIN,
        *("six", "old", "closed", "plain-on-tls", "tls-on-plain", "nobody", "selfsigned"),
    ),
    "http_4": ("hello", "local", "six"),
    "http_6": ("hello", "six"),
    "http_head": ("hello", "absent"),
    "http_post": ("hello", "redirect"),
    "http_404": ("hello", "absent"),
    "http_10": ("hello", "old"),
    "http_11": ("hello", "old"),
    "http_stay": ("redirect", "hello"),
    "http_stay_old": ("redirect",),
    "http_not_ssl": ("hello", "good"),
    "http_ssl": ("hello", "good", "expired", "early", "mismatched", "selfsigned"),
    "http_name": ("mismatched",),
    "http_host": ("mismatched", "hello"),
    "http_insecure": ("good", "expired", "named"),
    "http_tls12": ("good",),
    "http_body": ("hello", "absent"),
    "http_body_miss": ("hello",),
    "http_body_bad": ("hello",),
    "http_header": ("hello",),
    "http_header_miss": ("hello",),
    "http_header_bad": ("hello",),
    "http_gzip": ("zipped", "hello"),
    "http_limit": ("hello",),
    "tcp": ("sshd", "closed", "nobody-tcp", "silent"),
    "tls": ("tls-good", "tls-expired", "tls-mismatched"),
    "tls_insecure": ("tls-expired",),
    "ssh": ("sshd", "silent", "echo"),
    "echo": ("echo", "sshd"),
    "smtp": ("smtp", "smtp-expired"),
}


# The cases in which the probe succeeds: two that fail alike would prove little.
GOOD = {
    "http_2xx": ("hello", "local", "zipped", "file", "redirect", "twice", "six", "old"),
    "http_4": ("hello", "local", "six"),
    "http_6": ("six",),
    "http_head": ("hello",),
    "http_post": ("hello", "redirect"),
    "http_404": ("absent",),
    "http_10": ("old",),
    "http_11": ("hello",),
    "http_stay": ("redirect",),
    "http_not_ssl": ("hello",),
    "http_ssl": ("good",),
    "http_name": ("mismatched",),
    "http_host": ("mismatched", "hello"),
    "http_insecure": ("good", "expired", "named"),
    "http_tls12": ("good",),
    "http_body": ("hello",),
    "http_header": ("hello",),
    "http_gzip": ("zipped", "hello"),
    "tcp": ("sshd", "silent"),
    "tls": ("tls-good",),
    "tls_insecure": ("tls-expired",),
    "ssh": ("sshd",),
    "echo": ("echo",),
    "smtp": ("smtp",),
}


def series(page: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Values by name and type, and labels."""
    return {
        f"{family.name} {family.type}": {
            tuple(sorted(s.labels.items())): s.value for s in family.samples
        }
        for family in text_string_to_metric_families(page)
        if not family.name.startswith("jianwei_")
    }


def compare(lab: Lab, module: str, name: str) -> tuple[str, str]:
    """What differs, and both pages to look at."""
    query = {"module": module, "target": lab.targets[name]}
    theirs = httpx.get(f"http://{lab.exporter}/probe", params=query, timeout=30).text
    allow = AllowList(
        ProbeSettings(allow=("127.0.0.0/8", "::1/128", "localhost", "nobody.invalid"))
    )
    made = probe(query, {}, allow, Resolver(), lab.modules)
    assert not isinstance(made, str)
    ours = Encoder().encode(made).decode()
    there, here = series(theirs), series(ours)
    excepted = EXCEPTIONS.get((module, name), {})
    wrong = []
    for key in sorted(there.keys() | here.keys()):
        bare = key.split()[0]
        mine, other = here.get(key, {}), there.get(key, {})
        if any(re.fullmatch(pattern, bare) for pattern in excepted):
            if mine == other:
                wrong.append(f"{key} is no exception any more")
        elif (mine.keys() != other.keys()) if TIMES.match(bare) else mine != other:
            wrong.append(f"{key}: ours {mine}, theirs {other}")
    return "\n".join(wrong), f"{ours}\n\n{theirs}"


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in CASES.items() for name in names]
)
def test_the_same_series(lab: Lab, module: str, name: str) -> None:
    wrong, pages = compare(lab, module, name)
    assert not wrong, f"{wrong}\n\n{pages}"
    assert (f"\nprobe_success {int(name in GOOD.get(module, ()))}\n") in pages


@pings
@pytest.mark.parametrize("module", ["icmp", "icmp4", "icmp6"])
@pytest.mark.parametrize("name", ["lo4", "lo6"])
def test_the_same_series_of_echoes(lab: Lab, module: str, name: str) -> None:
    """A family that a target has not gives no answer in either."""
    wrong, pages = compare(lab, module, name)
    assert not wrong, f"{wrong}\n\n{pages}"


def test_an_unknown_module_is_a_bad_request_in_both(lab: Lab) -> None:
    query = {"module": "nothing", "target": lab.targets["hello"]}
    assert httpx.get(f"http://{lab.exporter}/probe", params=query).status_code == 400


def test_every_exception_is_tried() -> None:
    assert EXCEPTIONS.keys() <= {(module, name) for module in CASES for name in CASES[module]}
