"""What a host tells of many files together: right archives are understood, wrong ones do no harm."""

from __future__ import annotations

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from collectors.sources.ssh.frames import LINKS, TOGETHER, Record
from collectors.sources.ssh.together import Together, together, unresolved

NAMES = st.text(
    st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=300
).map(lambda name: "/" + name.strip("/"))
FILES = st.dictionaries(NAMES, st.binary(max_size=2000), max_size=8)


def archive(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo()
            info.name, info.size = name, len(content)
            tar.addfile(info, io.BytesIO(content))
    return made.getvalue()


def told(kind: str, payload: bytes, status: int = 0, *more: Record) -> Together:
    end = Record("x", status, "", b"")
    return together({TOGETHER: [Record(kind, -1, "", payload), *more, end]})


@given(FILES)
def test_archives_of_gnu_tar(files: dict[str, bytes]) -> None:
    found = told("b", archive(files)).contents
    assert found == {name.encode(): content for name, content in files.items()}


@given(st.binary(max_size=3000))
def test_any_bytes(payload: bytes) -> None:
    for kind in ("b", "v", "k", "p"):
        told(kind, payload)
    together({LINKS: [Record("j", -1, "", payload), Record("i", -1, "", payload)]})


@given(FILES, st.integers(0, 6000))
def test_a_torn_archive_has_no_half_files(files: dict[str, bytes], cut: int) -> None:
    for name, content in told("b", archive(files)[:cut]).contents.items():
        assert files[name.decode()] == content


def test_a_size_that_lies() -> None:
    honest = bytearray(archive({"/etc/a": b"x"}))
    for size in (b"77777777777\0", b"-0000000001\0", b"\x80" + b"\xff" * 11, b"99999999999\0"):
        honest[124:136] = size
        assert told("b", bytes(honest)).contents == {}


def test_links_and_devices_are_no_files() -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.GNUTYPE_SPARSE):
            info = tarfile.TarInfo("/etc/shadow")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    assert told("b", made.getvalue()).contents == {}


def test_what_did_not_end_well_is_left_out() -> None:
    assert told("b", archive({"/a": b"x"}), status=1).contents == {}
    assert told("v", b"81a4 0 0 1 1 2026-01-01 00:00:00.0 +0000 /a\0", status=1).stats == {}


def test_names_with_odd_bytes_have_stat_lines() -> None:
    line = b"81a4 0 0 1 1 2026-01-01 00:00:00.0 +0000"
    assert told("v", line + b" /a b\nc\xff\0").stats == {b"/a b\nc\xff": line}


def test_links_lead_where_their_order_says() -> None:
    def links(*records: tuple[str, bytes]) -> dict[bytes, bytes]:
        return together({LINKS: [Record(kind, -1, "", it) for kind, it in records]}).targets

    assert links(("j", b"/b"), ("j", b"/a"), ("i", b"1\x002\0")) == {b"/a": b"1", b"/b": b"2"}
    # of a group that was ended nothing came: nobody knows whose these are
    assert links(("j", b"/b"), ("j", b"/a"), ("j", b"/c"), ("i", b"1\x002\0")) == {}
    assert links(("j", b"/a"), ("i", b"1\0"), ("j", b"/b"), ("i", b"2\0")) == {
        b"/a": b"1",
        b"/b": b"2",
    }


def test_what_is_asked_again() -> None:
    done, start = Record("d", 0, "", b""), Record("r", 0, "", b"")
    stream = {
        0: [start, Record("f", -1, "", b"/a"), done],
        1: [start, Record("f", -1, "", b"/gone"), done],
        2: [start, Record("w", -1, "", b"/a")],  # the shell ended in the middle
        TOGETHER: [Record("b", -1, "", archive({"/a": b"x"})), Record("x", 0, "", b"")],
    }
    assert unresolved(stream, [0, 1, 2, 3]) == [1, 2, 3]
