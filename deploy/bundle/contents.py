"""Which bundle has what: the one table of it.

A command that needs what its bundle leaves out says so in a line (agents/cli/leftout.py).
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Contents(NamedTuple):
    """`without` are Python packages of the lock, `no_modules` folders of our own or theirs, `libraries` C libraries that are opened by
    name when the program runs. `imports` and then `trial`, a program, are tried when it is built. `share` are
    folders of the checkout that go to share/jianwei under the same path."""

    name: str
    without: frozenset[str]
    no_modules: tuple[str, ...]
    libraries: tuple[str, ...]
    imports: tuple[str, ...]
    trial: str
    share: tuple[str, ...]


# The command line of the CEL engine, which rules/celbinding.py goes around
_UNUSED: Final = frozenset(
    (
        *("annotated-doc", "annotated-types", "markdown-it-py", "mdurl", "prompt-toolkit"),
        *("pydantic", "pydantic-core", "pygments", "rich", "shellingham", "typer"),
        *("typing-inspection", "wcwidth"),
        "invoke",  # paramiko's `Match exec` of ssh_config, which we do not read
        *("brotli", "zopfli"),  # fonts of the web, for fonttools
    )
)
_CONSOLE: Final = frozenset(
    (
        *("alembic", "authlib", "joserfc", "ldap3", "mako", "psycopg", "psycopg-binary"),
        *("pyotp", "python-multipart", "segno", "sqlalchemy"),
    )
)
_REPORT: Final = frozenset(
    (
        *("cssselect2", "fonttools", "pillow", "pydyf", "pyphen", "tinycss2"),
        *("tinyhtml5", "weasyprint", "webencodings", "xlsxwriter"),
        *("certifi", "httpcore", "httpx", "pycparser"),
    )
)
_AGENT_IMPORTS: Final = (
    *(
        "agents.cli.run",
        "bcrypt",
        "cramjam",
        "cryptography.x509",
        "dns.resolver",
        "jinja2",
        "numpy",
    ),
    *("paramiko", "prometheus_client", "psutil", "publicsuffixlist", "pysnmp", "re2", "ssl"),
    *("scapy.layers.inet6", "sqlite3", "starlette.applications", "uvicorn", "yaml", "zoneinfo"),
)
# What is left out of packages that are taken must not be missed, by our own modules first of all
_AGENT_TRIAL: Final = """
import importlib, pkgutil
missing = set()
for top in ("agents", "collectors", "exporters", "rules"):
    path = importlib.import_module(top).__path__
    for module in pkgutil.walk_packages(path, f"{top}.", lambda name: None):
        if not module.name.endswith(".migrations.env"):  # only alembic loads it
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:
                missing.add(error.name)
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
for packet in (IP(dst="192.0.2.1") / ICMP(), IP() / UDP(dport=9), IP() / TCP(), IPv6() / ICMPv6EchoRequest()):
    assert type(packet)(bytes(packet)).show(dump=True)
assert (numpy.einsum("ij,jk->ik", numpy.eye(3), numpy.ones((3, 3))) @ numpy.ones(3)).sum() == 9
numpy.linalg.lstsq(numpy.eye(3), numpy.ones(3)), numpy.quantile(numpy.arange(9.0), 0.9)
numpy.unique([2, 1], return_inverse=True), numpy.isin([1], [2])
"""
_FULL_TRIAL: Final = f"""{_AGENT_TRIAL}
assert not missing, missing
import io, psycopg.pq, weasyprint.text.ffi
jpeg = io.BytesIO()
PIL.Image.new("RGB", (8, 8), "red").save(jpeg, "JPEG")
PIL.Image.open(jpeg).load()
code = segno.make("Jianwei")
drawn = io.BytesIO()
code.save(drawn, kind="svg")
page = f"<p>Jianwei 见微</p><img src='{{code.png_data_uri()}}'>{{drawn.getvalue().decode()}}"
assert weasyprint.HTML(string=page).write_pdf().startswith(b"%PDF-")
assert psycopg.pq.version() > 0
import tempfile, exporters.console.migrations as migrations
with tempfile.TemporaryDirectory() as place:
    engine = sqlalchemy.create_engine(f"sqlite:///{{place}}/console.db")
    migrations.upgrade(engine)
    assert "department" in sqlalchemy.inspect(engine).get_table_names()
    engine.dispose()
server = ldap3.Server("ldap://127.0.0.1:9", get_info=ldap3.NONE)
ldap3.Connection(server, "cn=x", "secret", client_strategy=ldap3.MOCK_SYNC, raise_exceptions=True)
assert sqlalchemy.create_engine("sqlite://").connect().execute(sqlalchemy.text("select 1")).scalar() == 1
sqlalchemy.create_engine("postgresql+psycopg://127.0.0.1/x")
assert numpy.random.default_rng(1).normal(size=9).std() > 0
"""
FULL: Final = Contents(
    "jianwei",
    _UNUSED,
    (),
    (
        *("libgobject-2.0.so.0", "libpango-1.0.so.0", "libpangoft2-1.0.so.0"),
        *("libharfbuzz.so.0", "libharfbuzz-subset.so.0", "libfontconfig.so.1"),
    ),
    (
        *_AGENT_IMPORTS,
        *(
            "alembic",
            "authlib.integrations.httpx_client",
            "exporters.console.web",
            "fontTools.subset",
            "fontTools.varLib",
        ),
        *("httpx", "ldap3", "numpy.random", "PIL.Image", "psycopg", "pyotp", "segno", "sqlalchemy"),
        *("weasyprint", "xlsxwriter"),
    ),
    _FULL_TRIAL,
    # for the machine that watches the estate, which may have no other way to get them
    ("deploy/prometheus", "deploy/alertmanager", "deploy/grafana", "docs/runbooks"),
)
AGENT: Final = Contents(
    "jianwei-agent",
    _UNUSED | _CONSOLE | _REPORT,
    ("agents/demo/", "exporters/console/", "numpy/random/", "cffi/"),
    (),
    _AGENT_IMPORTS,
    f'{_AGENT_TRIAL}assert missing <= {{"httpx", "sqlalchemy", "xlsxwriter"}}, missing\n',
    (),
)

# Of the standard library: tests, what installs, builds or draws, and the modules for other systems
_NO_STDLIB: Final = (
    *("test/", "idlelib/", "tkinter/", "turtledemo/", "turtle.py", "ensurepip/", "venv/"),
    *("lib2to3/", "distutils/", "_distutils_system_mod.py", "pydoc_data/", "config-3.11"),
    *("unittest/test/", "sqlite3/test/", "ctypes/test/", "curses/", "dbm/", "msilib/"),
    *("antigravity.py", "this.py", "__phello__", "__hello__.py", "_aix_support.py"),
    *("_osx_support.py", "sitecustomize.py", "dist-packages/", "EXTERNALLY-MANAGED"),
    *("lib-dynload/_test", "lib-dynload/_xx", "lib-dynload/xx", "lib-dynload/_ctypes_test"),
    *("lib-dynload/_curses", "lib-dynload/_dbm", "lib-dynload/nis", "lib-dynload/ossaudiodev"),
    *("lib-dynload/readline", "lib-dynload/_crypt", "crypt.py", "lib-dynload/_lsprof"),
)
# Of other packages: tests, what is for compilers and editors, and data for other uses
_NO_FOLDERS: Final = frozenset(
    ("tests", "test", "testing", "_pyinstaller", "include", "f2py", "distutils", "src")
)
_NO_KINDS: Final = (".pyi", ".pyx", ".pxd", ".c", ".h", ".hpp", ".a", "py.typed", ".rst")
_NO_PLACES: Final = (
    *("scapy/contrib/", "scapy/modules/", "scapy/tools/", "numpy/fft/"),
    *("alembic/templates/", "PIL/ImageTk", "PIL/_imagingtk", "cel/cli.py", "numpy/doc/"),
    *("numpy/_core/_multiarray_tests", "numpy/_core/_umath_tests", "numpy/_core/_rational_tests"),
    *("numpy/_core/_struct_ufunc_tests", "numpy/_core/_operand_flag_tests", "numpy/_core/_simd."),
    # pictures of a report are PNG and SVG, its fonts those of the host
    *(
        "PIL/_avif",
        "PIL/_webp",
        "PIL/_imagingft",
        "PIL/_imagingcms",
        "PIL/PdfParser",
        "PIL/ImageQt",
    ),
    *("PIL/ImageGrab", "PIL/ImageShow", "PIL/ImageWin", "PIL/report", "PIL/features"),
    # Kerberos, and ways to packets on other systems
    *("scapy/libs/rfc3961", "scapy/arch/windows/", "scapy/arch/bpf/", "scapy/arch/solaris"),
    *("numpy/polynomial/", "numpy/conftest"),
    # of fonts: sources and curves, and what only makes or compares them; WeasyPrint takes parts of them
    *("fontTools/ufoLib/", "fontTools/voltLib/", "fontTools/mtiLib/", "fontTools/merge/"),
    *("fontTools/cu2qu/", "fontTools/qu2cu/", "fontTools/svgLib/", "fontTools/t1Lib/"),
    *("fontTools/diff/", "fontTools/ttx", "fontTools/fontBuilder", "fontTools/help"),
    *("fontTools/afmLib", "fontTools/tfmLib", "fontTools/annotations", "fontTools/misc/symfont"),
    *("fontTools/feaLib/lexer", "fontTools/feaLib/parser", "fontTools/feaLib/builder"),
    *("fontTools/varLib/interpol", "fontTools/varLib/plot", "fontTools/varLib/avar"),
    *("fontTools/varLib/mutator", "fontTools/varLib/hvar", "fontTools/pens/moments"),
    *("fontTools/pens/statistics", "fontTools/pens/cu2qu", "fontTools/pens/qu2cu"),
    *("fontTools/pens/freetype", "fontTools/pens/cairo", "fontTools/pens/qt", "fontTools/pens/wx"),
    # what directories of some makers are like, which ours is asked for itself
    "ldap3/protocol/schemas/",
    *("authlib/integrations/django", "authlib/integrations/flask", "authlib/integrations/requests"),
    *("authlib/integrations/sqla", "authlib/integrations/starlette"),
    # the console writes SQL by SQLAlchemy's Core
    "sqlalchemy/orm/",
    *("sqlalchemy/dialects/mssql/", "sqlalchemy/dialects/mysql/"),
    "sqlalchemy/dialects/oracle/",
)
# Of scapy, which builds packets of IP: layers that nothing of these imports
_SCAPY_LAYERS: Final = ("__init__.py", "inet.py", "inet6.py", "l2.py")


def in_stdlib(path: str) -> bool:
    """Whether a file of the standard library is taken."""
    return not path.startswith(_NO_STDLIB) and "__pycache__" not in path


# Kinds of pictures; EPS is loaded by WeasyPrint itself
_PICTURES: Final = frozenset(
    f"{kind}ImagePlugin.py" for kind in ("Bmp", "Eps", "Gif", "Jpeg", "Mpo", "Png", "Ppm", "Tiff")
)


def needed(path: str) -> bool:
    """Whether a file of a Python package is taken."""
    *folders, name = path.split("/")
    if folders == ["PIL"] and name.endswith("ImagePlugin.py"):
        return name in _PICTURES
    if path.startswith("sqlalchemy/ext/"):
        return path in ("sqlalchemy/ext/__init__.py", "sqlalchemy/ext/compiler.py")
    if folders == ["pyphen", "dictionaries"]:
        return name.startswith("hyph_en")
    if folders == ["scapy", "layers"]:
        return name in _SCAPY_LAYERS
    unwanted = path.startswith(_NO_PLACES) or path.endswith(_NO_KINDS)
    return not unwanted and _NO_FOLDERS.isdisjoint(folders) and folders[:2] != ["scapy", "layers"]
