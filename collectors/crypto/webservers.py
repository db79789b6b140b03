"""How web servers speak TLS by their configuration: nginx (Tengine, Tongsuo) and Apache's httpd.

What is on disk, which is what the next reload takes. Defaults: nginx.org/en/docs/http/ngx_http_ssl_module.html,
mod_ssl; NTLS (GB/T 38636, two certificates): tongsuo.net. The parsers are nginxconf.py and httpdconf.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

import msgspec

from collectors.crypto import ciphers, httpdconf, manyfiles, nginxconf, webfiles
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

    `protocols` are the server's defaults where protocols_set is false. `redirects`: it sends people
    to https. `loopback`: it listens for this machine only. `ntls`: the national protocol is on.
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
        # in a stream or a mail server nothing answers with a redirect
        ways = [*block.get("return"), *block.get("rewrite")]
        yield Site(
            key=_key("nginx", names, listen),
            server="nginx",
            names=names,
            listen=listen,
            loopback=all(_LOOPBACK.fullmatch(one) for one in listen),
            tls=tls,
            redirects=any(word.startswith("https://") for words in ways for word in words[:2]),
            protocols=[name for name in _PROTOCOLS if name in said] if said else NGINX_DEFAULT,
            protocols_set=bool(said),
            ciphers=cipher,
            weak_ciphers=ciphers.weak(cipher),
            national_ciphers=ciphers.national(cipher),
            certificates=paths("ssl_certificate"),
            ntls=on("enable_ntls") or on("ssl_ntls"),
            sign_certificates=paths("ssl_sign_certificate"),
            enc_certificates=paths("ssl_enc_certificate"),
            hsts=any(w and w[0].lower() == _HSTS for w in block.get("add_header")),
            source=block.source,
        )


_HSTS = "strict-transport-security"


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
        ways = [
            w for key in ("redirect", "redirectpermanent", "rewriterule") for w in host.get(key)
        ]
        if host is main and not listen:
            continue
        yield Site(
            key=_key("httpd", names, listen),
            server="httpd",
            names=names,
            listen=listen,
            loopback=bool(listen) and all(_LOOPBACK.fullmatch(one) for one in listen),
            tls=_on(host),
            redirects=any(word.startswith("https://") for words in ways for word in words),
            protocols=httpdconf.protocols(said[-1]) if said else HTTPD_DEFAULT,
            protocols_set=bool(said),
            ciphers=cipher,
            weak_ciphers=ciphers.weak(cipher),
            national_ciphers=ciphers.national(cipher),
            certificates=[words[0] for words in host.get("sslcertificatefile") if words],
            ntls=False,
            sign_certificates=[],
            enc_certificates=[],
            hsts=any(_HSTS in (w.lower() for w in words) for words in host.get("header")),
            source=host.source,
        )


def port(address: str) -> str:
    """Of `443`, `*:443`, `[::]:443`, `_default_:443`; empty where an address has none."""
    if address.isdigit():
        return address
    tail = address.rpartition("]")[2] if "]" in address else address
    return tail.rpartition(":")[2] if ":" in tail else ""


def _on(host: httpdconf.Server) -> bool:
    said = host.get("sslengine")
    return bool(said) and said[-1][:1] != [] and said[-1][0].lower() == "on"


def _last(said: list[list[str]]) -> str:
    """The cipher list: the last word, as the protocol may stand before it."""
    lists = [words for words in said if words and words[0] != "TLSv1.3"]
    return lists[-1][-1] if lists else ""


def _key(server: str, names: list[str], listen: list[str]) -> str:
    return f"{server} {names[0] if names else '_'} {','.join(listen)}"
