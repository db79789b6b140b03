"""The DNS prober's verdicts and series against those of a real blackbox_exporter, as root."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from collectors.link import modules
from collectors.model import AddressFamily
from tests import netlab
from tests.agentlab import eventually
from tests.collectors.dnslab import FAMILIES, REAL, Line, name_servers, value

pytestmark = [
    pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable()),
    pytest.mark.skipif(not shutil.which("nsd"), reason="needs nsd"),
]

MODULES = """
modules:
  a: {prober: dns, dns: {query_name: www.example.test, query_type: A}}
  any: {prober: dns, dns: {query_name: www.example.test}}
  soa: {prober: dns, dns: {query_name: example.test, query_type: SOA, transport_protocol: tcp}}
  nxdomain: {prober: dns, dns: {query_name: no.example.test, query_type: A}}
  nxdomain_wanted:
    {prober: dns, dns: {query_name: no.example.test, query_type: A, valid_rcodes: [NXDOMAIN]}}
  refused: {prober: dns, dns: {query_name: example.org, query_type: A, recursion_desired: false}}
  chaos: {prober: dns, dns: {query_name: id.server, query_type: TXT, query_class: CH}}
  tabs:
    prober: dns
    dns:
      query_name: alias.example.test
      query_type: A
      validate_answer_rrs:
        fail_if_not_matches_regexp: ["^(alias|www)\\\\.example\\\\.test\\\\.\\\\t300\\\\tIN\\\\t(A|CNAME)\\\\t"]
  txt:
    prober: dns
    dns:
      query_name: example.test
      query_type: TXT
      validate_answer_rrs: {fail_if_none_matches_regexp: ['"v=spf1 -all"$']}
  matches:
    prober: dns
    dns:
      query_name: www.example.test
      query_type: A
      validate_answer_rrs: {fail_if_matches_regexp: ["192.0.2.11"]}
  all_of_two:
    prober: dns
    dns:
      query_name: www.example.test
      query_type: A
      validate_answer_rrs: {fail_if_all_match_regexp: ["192.0.2.1[01]"]}
  one_of_two:
    prober: dns
    dns:
      query_name: www.example.test
      query_type: A
      validate_answer_rrs: {fail_if_all_match_regexp: ["192.0.2.10"]}
  authority:
    prober: dns
    dns:
      query_name: www.example.test
      query_type: A
      validate_authority_rrs: {fail_if_not_matches_regexp: ["ns[12].example.test.$"]}
  additional:
    prober: dns
    dns:
      query_name: www.example.test
      query_type: A
      validate_additional_rrs: {fail_if_none_matches_regexp: ["AAAA\\\\t2001:db8:53::2$"]}
  nothing:
    prober: dns
    dns:
      query_name: www.example.test
      query_type: MX
      validate_answer_rrs: {fail_if_not_matches_regexp: ["."]}
  truncated: {prober: dns, dns: {query_name: big.example.test, query_type: TXT}}
"""
OURS = modules.loads(MODULES)
SAME = (
    *("probe_dns_answer_rrs", "probe_dns_authority_rrs", "probe_dns_additional_rrs"),
    *("probe_dns_query_succeeded", "probe_dns_serial"),
)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with name_servers(tmp_path_factory.mktemp("nsd")) as made:
        yield made


@pytest.fixture(scope="module")
def blackbox(lines: Line, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real blackbox_exporter in a."""
    program = shutil.which("prometheus-blackbox-exporter")
    if not program:
        pytest.skip("needs prometheus-blackbox-exporter")
    config = tmp_path_factory.mktemp("blackbox") / "blackbox.yml"
    config.write_text(MODULES)
    words = (f"--config.file={config}", "--web.listen-address=127.0.0.1:9115")
    process = subprocess.Popen(
        lines.lab.argv("a", program, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        eventually(lambda: ":9115" in lines.lab.run("a", "ss", "-Hltn"))
        yield "127.0.0.1:9115"
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", OURS)
def test_the_verdict_of_blackbox_exporter(
    lines: Line, blackbox: str, name: str, family: AddressFamily
) -> None:
    host = f"[{REAL[family]}]:53" if family == "ipv6" else REAL[family]
    query = {"target": host, "module": name}
    page = lines.lab.inside(
        "a", lambda: httpx.get(f"http://{blackbox}/probe", params=query, timeout=10).text
    )
    theirs = {
        key: float(number)
        for key, _, number in (row.rpartition(" ") for row in page.splitlines() if row[0] != "#")
    }
    result = lines.probe(OURS[name].settings, REAL, family)
    if name == "truncated":  # the exception: they take half an answer for an answer
        assert theirs["probe_success"] == 1
        assert result.reason == "dns_truncated"
    else:
        assert result.success == bool(theirs["probe_success"]), (page, result)
    assert {key: value(result, key) for key in SAME} == {key: theirs.get(key) for key in SAME}
