"""How web servers speak TLS by their configuration: nginx (Tengine, Tongsuo) and Apache's httpd.

What is on disk, which is what the next reload takes. Defaults: nginx.org/en/docs/http/ngx_http_ssl_module.html,
mod_ssl; NTLS (GB/T 38636, two certificates): tongsuo.net. The parsers are nginxconf.py and httpdconf.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

import msgspec

from collectors.crypto import ciphers, httpdconf, manyfiles, nginxconf, redirects, webfiles
from collectors.model import Answers, Collector, Fact, Reading

# nginx before 1.23.4 without ssl_protocols; later ones have less
NGINX_DEFAULT = ["TLSv1", "TLSv1.1", "TLSv1.2"]
HTTPD_DEFAULT = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]
_PROTOCOLS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_LOOPBACK = re.compile(r"(?:127\.[0-9.]+|localhost|\[::1\]|unix:.*)(?::\d+)?", re.IGNORECASE)


class Site(msgspec.Struct, frozen=True):
    """One server: a server block of nginx or a virtual host of httpd."""

    key: str
    server: str
    names: list[str]
    listen: list[str]
    loopback: bool
    tls: bool
    redirects: bool
    protocols: list[str]
    protocols_set: bool
    ciphers: str
    weak_ciphers: list[str]
    national_ciphers: list[str]
    certificates: list[str]
    ntls: bool
    sign_certificates: list[str]
    enc_certificates: list[str]
    hsts: bool
    source: str


class WebServersCollector(Collector, frozen=True):
    """`web_servers`: rows of `Site`; none where there is no web server's configuration.

    `protocols` are the server's defaults where protocols_set is false. `redirects`: whatever is asked
    for is sent to https or refused. Servers of nginx that are no web count where they speak TLS. `loopback`: it listens for this machine only. `ntls`: the national protocol is on.
    """

    name: ClassVar[str] = "web_servers"
    facts: ClassVar[tuple[str, ...]] = ("web_servers",)

    nginx: tuple[str, ...] = webfiles.NGINX
    httpd: tuple[str, ...] = webfiles.HTTPD

    def readings(self) -> tuple[Reading, ...]:
        return manyfiles.readings((*self.nginx, *self.httpd))

    def parse(self, answers: Answers) -> Iterable[Fact]:
        rows = [msgspec.to_builtins(site) for site in sites(answers, self.nginx, self.httpd)]
        yield Fact("web_servers", rows)


def sites(answers: Answers, nginx: Iterable[str], httpd: Iterable[str]) -> list[Site]:
    """Every server of every configuration that is there."""
    found: list[Site] = []
    nginx = tuple(nginx)
    for path, text in manyfiles.texts(answers, (*nginx, *httpd)).items():
        found += (_nginx if path in nginx else _httpd)(path, text, answers)
    return found


def _nginx(path: str, text: str, answers: Answers) -> Iterator[Site]:
    folder = path.rpartition("/")[0]
    webfiles.ask_for_includes(
        path, text, lambda name, content: nginxconf.included(name, content, folder), answers
    )
    for block in nginxconf.servers(path, text, lambda p: webfiles.texts(p, answers)):
        http = block.outer is not None and block.outer.kind == "http"
        listens = block.get("listen") or [["80"]]
        listen = [words[0] for words in listens if words]
        said = [word for words in block.get("ssl_protocols") for word in words]
        cipher = "".join(word for words in block.get("ssl_ciphers") for word in words[:1])
        names = [word for words in block.get("server_name") for word in words if word]

        def paths(name: str, block: nginxconf.Block = block) -> list[str]:
            named = [words[0] for words in block.get(name) if words and words[0]]
            return [nginxconf.absolute(one, folder) for one in named]

        def on(name: str, block: nginxconf.Block = block) -> bool:
            return block.get(name) == [["on"]]

        tls = on("ssl") or any({"ssl", "quic"} & set(words[1:]) for words in listens)
        if not http and not tls:
            continue  # of a stream or a mail server, and no web
        yield Site(
            key=_key("nginx", names, listen),
            server="nginx",
            names=names,
            listen=listen,
            loopback=all(_LOOPBACK.fullmatch(one) for one in listen),
            tls=tls,
            redirects=http and redirects.nginx_redirects(block),
            protocols=[name for name in _PROTOCOLS if name in said] if said else NGINX_DEFAULT,
            protocols_set=bool(said),
            ciphers=cipher,
            weak_ciphers=ciphers.weak(cipher),
            national_ciphers=ciphers.national(cipher),
            certificates=paths("ssl_certificate"),
            ntls=on("enable_ntls") or on("ssl_ntls"),
            sign_certificates=paths("ssl_sign_certificate"),
            enc_certificates=paths("ssl_enc_certificate"),
            hsts=_keeps([w[1:] for w in block.get("add_header") if w and w[0].lower() == _HSTS]),
            source=block.source,
        )


_HSTS = "strict-transport-security"
_MAX_AGE = re.compile(r"max-age\s*=\s*\"?0*[1-9]|\$", re.IGNORECASE)


def _keeps(values: list[list[str]]) -> bool:
    """Whether browsers are to keep to https: of several headers the first counts (RFC 6797, 8.1), and
    with max-age=0 they forget it."""
    return bool(values) and bool(_MAX_AGE.search(" ".join(values[0])))


def _httpd(path: str, text: str, answers: Answers) -> Iterator[Site]:
    root = httpdconf.root_of(path, text)
    webfiles.ask_for_includes(
        path, text, lambda name, content: httpdconf.included(name, content, root), answers
    )
    main, *hosts = httpdconf.servers(path, text, lambda p: webfiles.texts(p, answers))
    ports = [words[0] for words in main.get("listen") if words]
    # the main server answers where no virtual host does
    taken = {port(address) for host in hosts for address in host.addresses}
    ports = [] if "" in taken or "*" in taken else [one for one in ports if port(one) not in taken]
    for host in (main, *hosts):
        names = [w for key in ("servername", "serveralias") for ws in host.get(key) for w in ws]
        listen = host.addresses or ports
        said = [words for words in host.get("sslprotocol") if words]
        cipher = _last(host.get("sslciphersuite"))
        if host is main and not listen:
            continue
        yield Site(
            key=_key("httpd", names, listen),
            server="httpd",
            names=names,
            listen=listen,
            loopback=bool(listen) and all(_LOOPBACK.fullmatch(one) for one in listen),
            tls=_on(host),
            # rewriting is not inherited from the main server
            redirects=redirects.httpd_redirects(
                host.get("aliases"), host.said.get("rewriting", []), names
            ),
            protocols=httpdconf.protocols(said[-1]) if said else HTTPD_DEFAULT,
            protocols_set=bool(said),
            ciphers=cipher,
            weak_ciphers=ciphers.weak(cipher),
            national_ciphers=ciphers.national(cipher),
            certificates=[words[0] for words in host.get("sslcertificatefile") if words],
            ntls=False,
            sign_certificates=[],
            enc_certificates=[],
            hsts=_keeps(_headers(host)),
            source=host.source,
        )


def port(address: str) -> str:
    """Of `443`, `*:443`, `[::]:443`, `_default_:443`; empty where an address has none."""
    if address.isdigit():
        return address
    tail = address.rpartition("]")[2] if "]" in address else address
    return tail.rpartition(":")[2] if ":" in tail else ""


def _headers(host: httpdconf.Server) -> list[list[str]]:
    """The values of the header, of `Header always set NAME VALUE`."""
    found = []
    for words in host.get("header"):
        words = words[1:] if words[:1] in (["always"], ["onsuccess"]) else words
        if len(words) > 2 and words[1].lower() == _HSTS and words[0].lower() in _SETS:
            found.append(words[2:])
    return found


_SETS = frozenset({"set", "add", "append", "merge", "setifempty"})


def _on(host: httpdconf.Server) -> bool:
    said = host.get("sslengine")
    return bool(said) and said[-1][:1] != [] and said[-1][0].lower() == "on"


def _last(said: list[list[str]]) -> str:
    """The cipher list: the last word, as the protocol may stand before it."""
    lists = [words for words in said if words and words[0] != "TLSv1.3"]
    return lists[-1][-1] if lists else ""


def _key(server: str, names: list[str], listen: list[str]) -> str:
    return f"{server} {names[0] if names else '_'} {','.join(listen)}"
