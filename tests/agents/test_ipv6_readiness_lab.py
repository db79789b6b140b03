"""Sites of a small internet, each broken in one way: verdicts and scores as in a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rules.readinessmodel import Readiness
from tests import readinesslab
from tests.readinesslab import SITES, ReadinessLab, read_table, seen

pytestmark = pytest.mark.skipif(bool(readinesslab.unavailable()), reason=readinesslab.unavailable())
TABLE = read_table((Path(__file__).parents[1] / "readiness/sites.yaml").read_bytes())
AGAIN = (  # quick ones of every kind; the one that comes and goes is not unchanged
    *("good", "plain", "no-aaaa", "ipv6-alone", "ipv6-refused", "one-of-two", "loopback"),
    *("other-content", "other-certificate", "links-dead", "ipv4-literal", "robots", "lame"),
    *("ipv4-name-servers", "dns-without-tcp", "no-errors", "gzip-bomb", "broken-html"),
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadinessLab]:
    with ReadinessLab(tmp_path_factory.mktemp("readiness")) as it:
        yield it


@pytest.fixture(scope="module")
def results(lab: ReadinessLab) -> dict[str, Readiness]:
    return lab.check()


def test_the_table_has_every_site_and_no_other() -> None:
    assert len(TABLE) > 25
    assert set(TABLE) == {site.label for site in SITES}


@pytest.mark.parametrize("label", TABLE)
def test_a_site_comes_out_as_the_table_says(label: str, results: dict[str, Readiness]) -> None:
    found = results[label]
    assert seen(found) == TABLE[label]
    for check in found.checks:
        if check.verdict == "fail":
            assert check.reason.zh
            assert check.evidence
        assert "bug" not in check.reason.en
    assert found.duration < 70


def test_the_same_verdicts_again(lab: ReadinessLab) -> None:
    again = lab.check(AGAIN)
    assert {label: seen(found) for label, found in again.items()} == {
        label: TABLE[label] for label in AGAIN
    }
