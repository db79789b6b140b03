"""Web servers' configurations: what holds for each server, as nginx and httpd themselves take them."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.crypto import ciphers, httpdconf, nginxconf
from collectors.crypto.webservers import WebServersCollector, port
from collectors.model import ParseError, Unavailable
from collectors.observe import observe
from collectors.sources.local import LocalSource


def sites(root: Path, files: dict[str, str]) -> dict[str, dict[str, Any]]:
    """The rows of a tree with these files, by key."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (observation,) = observe(LocalSource(str(root)), [WebServersCollector()])
    assert observation.failure == "", observation.reason
    return {row["key"]: row for row in observation.facts[0].value}


# --- nginx --------------------------------------------------------------------------------------

NGINX = """
events {}
http {
    ssl_protocols TLSv1.2 TLSv1.3;   # for all
    ssl_ciphers "HIGH:!aNULL";
    map $uri $x { ~*"\\.php$" 1; default ${y}; }
    include sites/*.conf;
    server {
        listen 443 ssl; listen [::]:443 ssl;
        server_name a.example "b.example";
        # ssl_protocols TLSv1;
        ssl_protocols TLSv1 TLSv1.2;
        ssl_certificate rsa.crt; ssl_certificate /ec.crt;
        add_header Strict-Transport-Security "max-age=1; x";
        content_by_lua_block { local s = "}{" if a then { } end }
        location / { if ($a) { return 301 https://$host$uri; } }
    }
    server { listen 127.0.0.1:8080; listen unix:/run/x; }
    server { }
}
stream { server { listen 993 ssl; ssl_protocols TLSv1.1; } }
"""


def test_nginx_inherits_and_overrides(tmp_path: Path) -> None:
    # a brace in Lua's strings is beyond a reader of braces: here they pair
    text = NGINX.replace('"}{"', '"{}"')
    extra = "server { listen 8443; ssl on; server_name c; ssl_protocols TLSv1.3; enable_ntls on;\n"
    extra += "ssl_sign_certificate s.crt; ssl_enc_certificate e.crt; include more; }"
    rows = sites(
        tmp_path,
        {
            "etc/nginx/nginx.conf": text,
            "etc/nginx/sites/c.conf": extra,
            "etc/nginx/more": "ssl_ciphers ECC-SM2-SM4-GCM-SM3:RC4;",
        },
    )
    assert sorted(rows) == [
        "nginx _ 127.0.0.1:8080,unix:/run/x",
        "nginx _ 80",
        "nginx _ 993",
        "nginx a.example 443,[::]:443",
        "nginx c 8443",
    ]
    a, c = rows["nginx a.example 443,[::]:443"], rows["nginx c 8443"]
    assert a["protocols"] == ["TLSv1", "TLSv1.2"]
    assert a["certificates"] == ["/etc/nginx/rsa.crt", "/ec.crt"]
    assert a["names"] == ["a.example", "b.example"]
    assert (a["tls"], a["hsts"], a["redirects"], a["ciphers"]) == (True, True, False, "HIGH:!aNULL")
    assert a["source"] == "/etc/nginx/nginx.conf:8"
    assert (c["tls"], c["ntls"], c["protocols"]) == (True, True, ["TLSv1.3"])
    assert c["sign_certificates"] == ["/etc/nginx/s.crt"]
    assert c["weak_ciphers"] == ["anonymous", "RC4", "MD5"]
    assert c["national_ciphers"] == ["ECC-SM2-SM4-GCM-SM3"]
    assert rows["nginx _ 127.0.0.1:8080,unix:/run/x"]["loopback"]
    assert not rows["nginx _ 80"]["loopback"]
    assert rows["nginx _ 80"]["protocols_set"]
    assert rows["nginx _ 993"]["protocols"] == ["TLSv1.1"]


@pytest.mark.parametrize(
    "text",
    [
        "http { server { listen 80; }",
        "server }",
        'listen "80;',
        "listen 80",
        "a { ; }",
        "include x",
    ],
)
def test_nginx_refuses(text: str) -> None:
    with pytest.raises(ParseError):
        nginxconf.servers("/etc/nginx/nginx.conf", text, lambda pattern: {})


def test_an_include_of_itself_ends() -> None:
    with pytest.raises(ParseError, match="too many"):
        nginxconf.servers("/n", "include /n;", lambda pattern: {"/n": "include /n; include /n;"})


def test_a_file_that_is_denied_makes_all_unknown(tmp_path: Path) -> None:
    main = tmp_path / "etc/nginx/nginx.conf"
    main.parent.mkdir(parents=True)
    main.write_text("http { include conf.d/*.conf; }")
    (tmp_path / "etc/nginx/conf.d/a.conf").mkdir(parents=True)
    (observation,) = observe(LocalSource(str(tmp_path)), [WebServersCollector()])
    assert "a.conf: Is a directory" in observation.reason
    assert issubclass(Unavailable, Exception)


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
def test_the_directives_that_nginx_itself_sees(tmp_path: Path) -> None:
    """`nginx -T` prints each file that it takes: the same files, and it takes what we take."""
    conf = tmp_path / "nginx.conf"
    (tmp_path / "d").mkdir()
    (tmp_path / "d/1.conf").write_text("server { listen 127.0.0.1:1; server_name one; }\n")
    (tmp_path / "d/2.conf").write_text(
        "server { listen 127.0.0.1:2; server_name \"two two\" '#three' a\\;b; # x\n}\n"
    )
    conf.write_text(
        f"pid {tmp_path}/pid; error_log {tmp_path}/log; events {{}}\nhttp {{\n"
        f"access_log off; ssl_protocols TLSv1.2; include {tmp_path}/d/*.conf; }}\n"
    )
    told = subprocess.run(["nginx", "-T", "-c", conf], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    named = [
        line.split()[3].rstrip(":")
        for line in told.stdout.split("\n")
        if "# configuration file" in line
    ]

    def include(pattern: str) -> dict[str, str]:
        assert pattern == f"{tmp_path}/d/*.conf"
        return {str(p): p.read_text() for p in sorted(tmp_path.glob("d/*.conf"))}

    blocks = nginxconf.servers(str(conf), conf.read_text(), include)
    assert [str(conf), *(block.source.rpartition(":")[0] for block in blocks)] == named
    assert blocks[1].get("server_name") == [["two two", "#three", "a\\;b"]]
    assert blocks[0].get("ssl_protocols") == [["TLSv1.2"]]


# --- httpd --------------------------------------------------------------------------------------

HTTPD = """
ServerRoot "/etc/httpd"
Listen 80
Listen 443 https
Include conf.d/*.conf
<IfModule !mod_ssl.c>
SSLProtocol all
</IfModule>
"""
HOSTS = """
SSLProtocol all -SSLv3 -TLSv1 \\
   -TLSv1.1
SSLCipherSuite HIGH:!aNULL:!MD5
<VirtualHost *:443>
    ServerName a.example
    SSLEngine on
    SSLCertificateFile "/etc/pki/tls/certs/a.crt"
    Header always set Strict-Transport-Security "max-age=1"
    <Directory />
        Require all granted
    </Directory>
</VirtualHost>
<VirtualHost *:443>
    ServerName b.example
    SSLEngine on
    SSLProtocol +TLSv1
    SSLCipherSuite TLSv1.3 TLS_AES_128_GCM_SHA256
</VirtualHost>
"""


def test_httpd_virtual_hosts(tmp_path: Path) -> None:
    rows = sites(tmp_path, {"etc/httpd/conf/httpd.conf": HTTPD, "etc/httpd/conf.d/h.conf": HOSTS})
    assert sorted(rows) == ["httpd _ 80", "httpd a.example *:443", "httpd b.example *:443"]
    a, b = rows["httpd a.example *:443"], rows["httpd b.example *:443"]
    assert (a["tls"], a["protocols"], a["hsts"]) == (True, ["TLSv1.2", "TLSv1.3"], True)
    assert a["ciphers"] == "HIGH:!aNULL:!MD5"
    assert a["certificates"] == ["/etc/pki/tls/certs/a.crt"]
    assert a["source"] == "/etc/httpd/conf.d/h.conf:5"
    assert (b["protocols"], b["ciphers"]) == (["TLSv1"], "")
    assert not rows["httpd _ 80"]["tls"]


MOVED = "return 301 https://$host$request_uri;"


@pytest.mark.parametrize(
    ("inside", "sent"),
    [
        (MOVED, True),
        ("return https://x;", True),
        ("rewrite ^ https://$host$request_uri permanent;", True),
        ("rewrite ^/(.*)$ https://$host/$1;", True),
        (f"location / {{ {MOVED} }}", True),
        (f"if ($scheme = http) {{ {MOVED} }} location / {{ proxy_pass http://a; }}", True),
        (f'if ($scheme != "https") {{ {MOVED} }}', True),
        (f"location / {{ {MOVED} }} location /.well-known/acme-challenge/ {{ root /x; }}", True),
        (f"location / {{ {MOVED} }} location = /up {{ return 200 ok; }}", True),
        (f"location / {{ {MOVED} }} location /s {{ allow 127.0.0.1; deny all; }}", True),
        # as certbot leaves it, and a server that refuses all
        (f"if ($host = x) {{ {MOVED} }} return 404;", True),
        ("return 444;", True),
        # some paths, names or methods only
        (f"location /login {{ {MOVED} }} location / {{ proxy_pass http://a; }}", False),
        (f"location = /x {{ {MOVED} }}", False),
        (f"location / {{ {MOVED} }} location /api {{ proxy_pass http://a; }}", False),
        (f"location / {{ {MOVED} location /api {{ proxy_pass http://a; }} }}", False),
        (f"location / {{ {MOVED} }} location /s {{ allow 10.0.0.0/8; deny all; }}", False),
        (f"if ($host = x) {{ {MOVED} }}", False),
        (f"if ($host = x) {{ {MOVED} }} location / {{ proxy_pass http://a; }}", False),
        ("rewrite ^/login https://$host/login;", False),
        ("location = /x { rewrite ^ https://$host/x; }", False),
        (f"rewrite ^/api /b last; {MOVED}", False),
        (f"if ($a) {{ break; }} {MOVED}", False),
        ("return 301 http://other$request_uri;", False),
        ("location / { root /srv; }", False),
        ("", False),
    ],
)
def test_nginx_redirects_only_where_all_is_redirected(
    tmp_path: Path, inside: str, sent: bool
) -> None:
    rows = sites(tmp_path, {"etc/nginx/nginx.conf": f"http {{ server {{ listen 80; {inside} }} }}"})
    assert rows["nginx _ 80"]["redirects"] is sent


def test_a_stream_in_clear_is_no_web_server(tmp_path: Path) -> None:
    text = "stream { server { listen 3306; proxy_pass db:3306; } server { listen 1 ssl; } }"
    assert sorted(sites(tmp_path, {"etc/nginx/nginx.conf": text})) == ["nginx _ 1"]


@pytest.mark.parametrize(
    ("inside", "sent"),
    [
        ("Redirect permanent / https://a.example/", True),
        ('RedirectPermanent "/" "https://a.example/"', True),
        ("RedirectMatch ^/(.*)$ https://a.example/$1", True),
        ("RewriteEngine On\nRewriteRule ^ https://%{HTTP_HOST}%{REQUEST_URI} [R=301,L]", True),
        (
            "RewriteEngine on\nRewriteCond %{HTTPS} !=on\n"
            "RewriteCond %{REQUEST_URI} !^/.well-known/acme-challenge/\n"
            "RewriteRule ^/?(.*)$ https://%{SERVER_NAME}/$1 [R,L]",
            True,
        ),
        (
            "RewriteEngine on\nRewriteCond %{SERVER_NAME} =a.example\n"
            "RewriteRule ^ https://%{SERVER_NAME}%{REQUEST_URI} [END,NE,R=permanent]",
            True,
        ),
        ("Redirect /login https://a.example/login", False),
        ("<Location /login>\nRedirect / https://a.example/\n</Location>", False),
        ("RedirectMatch ^/login https://a.example/", False),
        ("RewriteRule ^ https://a.example/ [R]", False),  # the engine is off
        ("RewriteEngine on\nRewriteRule ^/login https://a.example/ [R]", False),
        (
            "RewriteEngine on\nRewriteCond %{REQUEST_URI} ^/login\n"
            "RewriteRule ^ https://a.example/ [R]",
            False,
        ),
        (
            "RewriteEngine on\nRewriteRule ^/app - [L]\nRewriteRule ^ https://a.example/ [R]",
            False,
        ),
        ("<Directory /x>\nRewriteEngine on\nRewriteRule ^ https://a/ [R]\n</Directory>", False),
    ],
)
def test_httpd_redirects_only_where_all_is_redirected(
    tmp_path: Path, inside: str, sent: bool
) -> None:
    text = f"<VirtualHost *:80>\nServerName a.example\n{inside}\n</VirtualHost>\n"
    rows = sites(tmp_path, {"etc/httpd/conf/httpd.conf": text})
    assert rows["httpd a.example *:80"]["redirects"] is sent


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("max-age=31536000; includeSubDomains", True),
        ("max-age = 1", True),
        ("max-age=0", False),
        ("includeSubDomains; max-age=000", False),
        ("", False),
    ],
)
def test_browsers_are_to_keep_to_https(tmp_path: Path, value: str, kept: bool) -> None:
    nginx = f'add_header Strict-Transport-Security "{value}" always;'
    httpd = f'Header always set Strict-Transport-Security "{value}"'
    rows = sites(
        tmp_path,
        {
            "etc/nginx/nginx.conf": f"http {{ server {{ listen 443 ssl; {nginx} }} }}",
            "etc/httpd/conf/httpd.conf": f"Listen 443\n{httpd}\n",
        },
    )
    assert [row["hsts"] for row in rows.values()] == [kept, kept]
    off = "Header always unset Strict-Transport-Security"
    rows = sites(tmp_path, {"etc/httpd/conf/httpd.conf": f"Listen 443\n{off}\n"})
    assert not rows["httpd _ 443"]["hsts"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("all -SSLv3", ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]),
        ("-all +TLSv1.2", ["TLSv1.2"]),
        ("TLSv1.2", ["TLSv1.2"]),
        ("ALL -tlsv1 -TLSv1.1", ["TLSv1.2", "TLSv1.3"]),
        ("+SSLv3 +odd", ["SSLv3"]),
    ],
)
def test_httpd_protocols(words: str, found: list[str]) -> None:
    assert httpdconf.protocols(words.split()) == found


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("80", "80"),
        ("*:443", "443"),
        ("[::]:80", "80"),
        ("[::1]", ""),
        ("a", ""),
        ("_default_:1", "1"),
    ],
)
def test_ports(address: str, found: str) -> None:
    assert port(address) == found


# --- cipher lists -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("HIGH:!aNULL:!MD5", []),
        ("HIGH", ["anonymous"]),
        ("ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384", []),
        ("RC4:HIGH:!aNULL", ["RC4", "MD5"]),
        ("RC4:HIGH:!aNULL:!MD5", ["RC4"]),
        ("ECDHE-RSA-RC4-SHA", ["RC4"]),
        ("DES-CBC3-SHA", ["3DES"]),
        ("RC4-MD5:!RC4", []),
        ("eNULL:NULL-SHA256:!aNULL:!MD5", ["NULL"]),
        # broad words bring what is in them
        ("HIGH:!aNULL:NULL-SHA256", ["NULL"]),
        ("HIGH:!aNULL:kRSA:!RC4:!3DES:!MD5", ["NULL"]),
        ("kECDHE:!RC4:!3DES", ["NULL", "anonymous"]),
        ("AES:!eNULL", ["anonymous"]),
        ("AESGCM", ["anonymous"]),
        ("EECDH+AESGCM:EDH+AESGCM", []),
        ("SHA1:!aNULL:!RC4:!3DES", ["NULL"]),
        # what only moves out of the way may come back
        ("HIGH:-aNULL:AECDH-AES256-SHA", ["anonymous"]),
        ("HIGH:-aNULL", []),
        ("HIGH:!aNULL:AECDH-AES256-SHA", []),
        ("TLS_RSA_WITH_NULL_SHA", ["NULL"]),
        ("HIGH:!aNULL:!eNULL:!DES:DES-CBC3-SHA", ["3DES"]),
        ("ALL:!aNULL:!RC4:!3DES:!DES:!MD5", []),
        ("MEDIUM:!aNULL", ["RC4", "3DES", "MD5"]),
        ("HIGH+kEECDH:!aNULL", []),
        ("PROFILE=SYSTEM", []),
        ("EXP-RC2-CBC-MD5", ["EXPORT", "MD5"]),
        ("ADH-AES256-SHA", ["anonymous"]),
    ],
)
def test_weak_ciphers(text: str, found: list[str]) -> None:
    assert ciphers.weak(text) == found


WORDS = (
    "ALL HIGH AES AESGCM AES128 CAMELLIA SSLv3 TLSv1 TLSv1.2 SHA SHA1 SHA256 SHA384 RSA kRSA aRSA"
    " ECDSA DH DHE EDH kEDH ECDH ECDHE EECDH kECDHE kEECDH ADH AECDH PSK kPSK aPSK kRSAPSK aNULL"
    " eNULL NULL COMPLEMENTOFALL COMPLEMENTOFDEFAULT"
)


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
@pytest.mark.parametrize(
    "text",
    [
        *WORDS.split(),
        *("HIGH:-aNULL:AECDH-AES256-SHA", "HIGH:!aNULL:AECDH-AES256-SHA", "AES+SHA:!aNULL"),
        *("kRSA:!eNULL", "EECDH+AES:!aNULL", "ALL:!aNULL:NULL-SHA256", "DEFAULT", "HIGH+kECDHE"),
    ],
)
def test_what_openssl_lets_in(text: str) -> None:
    told = subprocess.run(
        ["openssl", "ciphers", f"{text}:@SECLEVEL=0"], capture_output=True, text=True, check=True
    ).stdout
    real = {"NULL": "NULL" in told, "anonymous": "ADH-" in told or "AECDH-" in told}
    found = ciphers.weak(text)
    assert {name: name in found for name in real} == real


def test_national_ciphers() -> None:
    named = "ECC-SM2-SM4-GCM-SM3:ECDHE-SM2-SM4-CBC-SM3:TLS_SM4_GCM_SM3:ECC-SM4-SM3:ECDHE-SM4-SM3"
    assert ciphers.national(named) == named.split(":")
    assert ciphers.national("ECDHE-RSA-AES128-GCM-SHA256:!ECC-SM2-SM4-GCM-SM3") == []


# --- whatever there is --------------------------------------------------------------------------

TEXTS = st.text(alphabet=st.sampled_from("ab{}; \"'#\\\n\t$<>/!inclde"), max_size=80) | st.text(
    max_size=40
)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_any_text(text: str) -> None:
    for parse in (nginxconf.servers, httpdconf.servers):
        with contextlib.suppress(ParseError):
            parse("/x/y", text, lambda pattern: {})
    ciphers.weak(text)
    ciphers.national(text)


@pytest.mark.parametrize(
    "line",
    [
        *(
            "listen ${",
            "a" * 200 + ";",
            "server { }",
            "location / {",
            '"' + "\\" * 199,
            "x_by_lua_block {",
            "\\" * 200,
        ),
        *(
            "<VirtualHost *:443>",
            "</VirtualHost>",
            "SSLProtocol all -SSLv3",
            "-ALL+RC4:" * 20,
            "{" * 200,
        ),
    ],
)
def test_many_odd_lines_are_read_in_time(line: str) -> None:
    text = f"{line}\n" * 10_000
    start = time.perf_counter()
    for parse in (nginxconf.servers, httpdconf.servers):
        with contextlib.suppress(ParseError):
            parse("/x/y", text, lambda pattern: {})
    ciphers.weak(text)
    assert time.perf_counter() - start < 10  # 0.5 s on an idle machine
