"""Files of the estate: what is taken, and that every mistake is told with its line."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.ipv6.estate import file as estatefile
from collectors.ipv6.estate.file import EstateErrors
from collectors.ipv6.estate.model import Asked, Estate, EstateRow
from collectors.strictyaml import DocumentError

FOLDER = Path(__file__).parents[1] / "estates"
INVALID = sorted((*FOLDER.glob("invalid-*.yaml"), *FOLDER.glob("invalid-*.csv")))


def load(text: str | bytes, path: str = "estate.yaml") -> Estate:
    return estatefile.parse(text.encode() if isinstance(text, str) else text, path)


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.name.removeprefix("invalid-"))
def test_one_mistake(path: Path) -> None:
    if path.suffix == ".csv":
        expected = path.with_suffix(".error").read_text().rstrip("\n")
    else:
        expected = path.read_text().splitlines()[0].removeprefix("# error: ")
    with pytest.raises(DocumentError) as error:
        estatefile.load(str(path))
    assert str(error.value).startswith(f"{path}{expected}")
    assert "\n" not in str(error.value)


def test_there_are_enough_of_them() -> None:
    assert len(INVALID) > 40


@pytest.mark.parametrize("name", ["many.yaml", "many.csv"])
def test_every_mistake_is_told_at_once(name: str) -> None:
    path = FOLDER / name
    with pytest.raises(EstateErrors) as error:
        estatefile.load(str(path))
    told = str(error.value).replace(f"{path}:", "")
    assert told.splitlines() == path.with_suffix(path.suffix + ".error").read_text().splitlines()
    assert len(error.value.mistakes) >= 9


def test_everything_that_a_row_has(tmp_path: Path) -> None:
    path = tmp_path / "estate.yaml"
    path.write_text(
        """
subjects:
  - name: 市政府门户
    kind: 网站
    department: 市政府办公室
    level: 市
    url: https://www.example.gov.cn:8443/index
    hosts: [web-01, rec]
    owner: 张三
  - {name: web-01, kind: host, host: "ssh://ops@[2001:db8::1]:22", level: 乡镇}
  - {name: rec, kind: 主机, host: {recorded: ../node7}, level: village}
  - {name: rec2, kind: host, host: "recorded: /srv/node8"}
  - {name: here, kind: host, host: local}
""",
        encoding="utf-8",
    )
    portal, web, rec, rec2, here = estatefile.load(str(path)).rows
    assert portal == EstateRow(
        name="市政府门户",
        kind="site",
        department="市政府办公室",
        level="city",
        url="https://www.example.gov.cn:8443/index",
        hosts=("web-01", "rec"),
        owner="张三",
    )
    assert (web.level, rec.level) == ("town", "village")
    assert web.asked == Asked("ssh://ops@[2001:db8::1]:22", None)
    assert rec.asked == Asked(None, str(tmp_path.parent / "node7"))
    assert rec2.asked == Asked(None, "/srv/node8")
    assert here.asked == Asked(None, None)


def test_the_document_shows_what_is_taken() -> None:
    text = (FOLDER.parents[1] / "docs/estate.md").read_text(encoding="utf-8")
    shown = load(text.split("```yaml\n")[1].split("```")[0])
    assert [row.name for row in shown.rows] == ["市政府门户", "web-01"]
    table = text[text.index("    名称,") :].split("\n\n")[0]
    rows = load("\n".join(line.strip() for line in table.splitlines()), "estate.csv").rows
    assert msgspec.to_builtins(rows) == msgspec.to_builtins(shown.rows)


TABLE = (
    "主机地址,名称,类型,主管部门,级别,网址,后端主机,负责人\r\n"
    ",门户,网站,甲局,区县,https://a.gov.cn/,甲机；乙机,\r\n"
    "ssh://ops@10.0.0.1,甲机,服务器,甲局,省,,,李四\r\n"
    ",,,,,,,\r\n"
    "local,乙机,host,,,,,\r\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("newline", ["\r\n", "\n"])
@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize("path", ["estate.csv", "estate"])
def test_a_table_in_every_encoding(encoding: str, newline: str, delimiter: str, path: str) -> None:
    text = TABLE.replace("\r\n", newline).replace(",", delimiter)
    portal, first, second = load(text.encode(encoding), path).rows
    assert portal == EstateRow(
        name="门户",
        kind="site",
        department="甲局",
        level="county",
        url="https://a.gov.cn/",
        hosts=("甲机", "乙机"),
    )
    assert (first.kind, first.level, first.owner, first.host) == (
        "host",
        "province",
        "李四",
        "ssh://ops@10.0.0.1",
    )
    assert second.asked == Asked(None, None)


def test_ten_thousand_rows_and_as_many_mistakes() -> None:
    def rows(hosts: str) -> str:
        return "name,kind,url,hosts\n" + "".join(
            f"site-{i},site,https://s{i}.gov.cn/,{hosts}\n" for i in range(10_000)
        )

    begin = time.monotonic()
    assert len(load(rows(""), "estate.csv").rows) == 10_000
    with pytest.raises(EstateErrors) as error:
        load(rows("web-01"), "estate.csv")
    assert len(str(error.value).splitlines()) == 101
    assert time.monotonic() - begin < 60  # about one second


@given(st.binary() | st.text().map(str.encode), st.sampled_from(["a.csv", "a.yaml", "a"]))
def test_any_content_is_an_estate_or_a_clear_error(content: bytes, path: str) -> None:
    with contextlib.suppress(DocumentError):
        estatefile.parse(content, path)


CELLS = st.text(st.sampled_from('a1.:;, "\n\r县主#%/=-[]@')) | st.sampled_from(
    ["local", "县", "site", "host", "x" * 200, "ssh://a", "https://a/", "recorded: x", "网站"]
)


@given(st.lists(st.lists(CELLS, max_size=9), max_size=8))
def test_any_cells_are_an_estate_or_a_clear_error(rows: list[list[str]]) -> None:
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    text = "\n".join([",".join(estatefile.COLUMNS), *quoted])
    with contextlib.suppress(DocumentError):
        estatefile.parse(text.encode(), "a.csv")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | CELLS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=5,
)


@given(st.lists(st.dictionaries(st.sampled_from(EstateRow.__struct_fields__), JSON), max_size=4))
def test_any_values_are_an_estate_or_a_clear_error(rows: list[dict[str, object]]) -> None:
    import yaml

    text = yaml.safe_dump({"subjects": rows}, allow_unicode=True)
    with contextlib.suppress(DocumentError):
        estatefile.parse(text.encode(), "a.yaml")
