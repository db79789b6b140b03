"""The example city 临江市: made up, the same every time. 6 districts and a county, 67 towns, 1,086 villages; 23 departments
with 46 systems on 1,200 virtual machines. No such city, department or machine exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

CITY: Final = "临江市"
ISSUER: Final = "临江市大数据管理局"
MACHINES: Final = 1200

AREAS: Final = ("城中区", "江北区", "江南区", "滨湖区", "东山区", "高新区", "云岭县")
COUNTY: Final = "云岭县"
_TOWNS: Final = (10, 9, 9, 9, 8, 6, 16)  # of each area
TOWNS: Final = sum(_TOWNS)
VILLAGES: Final = 1086

# department, its systems, the beginning of its machines' names, and how well it is looked after (0 to 1)
DEPARTMENTS: Final = (
    ("市政府办公室", ("门户网站", "协同办公"), "zfb", 0.95),
    ("市发展和改革委员会", ("项目审批", "价格监测"), "fgw", 0.9),
    ("市教育局", ("学籍管理", "招生报名"), "jyj", 0.6),
    ("市科学技术局", ("科技项目", "成果库"), "kjj", 0.85),
    ("市工业和信息化局", ("企业服务", "运行监测"), "gxj", 0.85),
    ("市公安局", ("人口信息", "出入境预约"), "gaj", 0.95),
    ("市民政局", ("婚姻登记", "低保核对"), "mzj", 0.75),
    ("市司法局", ("法律援助", "行政复议"), "sfj", 0.8),
    ("市财政局", ("预算一体化", "非税收入"), "czj", 0.95),
    ("市人力资源和社会保障局", ("社会保险", "就业服务"), "rsj", 0.85),
    ("市自然资源和规划局", ("不动产登记", "一张图"), "zrj", 0.8),
    ("市生态环境局", ("空气监测", "排污许可"), "hbj", 0.85),
    ("市住房和城乡建设局", ("房屋交易", "工程审批"), "zjj", 0.7),
    ("市交通运输局", ("运政管理", "公交调度"), "jtj", 0.8),
    ("市水利局", ("水雨情", "河长制"), "slj", 0.75),
    ("市农业农村局", ("土地确权", "农产品追溯"), "nyj", 0.7),
    ("市商务局", ("外贸服务", "市场监测"), "swj", 0.8),
    ("市文化和旅游局", ("文旅云", "场馆预约"), "wlj", 0.5),  # the idle one
    ("市卫生健康委员会", ("居民健康", "预约挂号"), "wjw", 0.85),
    ("市应急管理局", ("应急指挥", "安全生产"), "yjj", 0.9),
    ("市市场监督管理局", ("企业登记", "食品追溯"), "scj", 0.8),
    ("市医疗保障局", ("医保结算", "异地就医"), "ybj", 0.85),  # the starving one
    ("市大数据管理局", ("共享交换", "政务服务"), "sjj", 0.97),
)  # fmt: skip
IDLE: Final = "市文化和旅游局"
STARVING: Final = "市医疗保障局"
REGRESSED: Final = "市教育局"  # whose hit was fixed and came back
DEAD: Final = "云岭县-备"  # the backup line that nobody noticed

_FIRST: Final = "青白石桥柳河清泉龙凤安平永和大双古新长南北东西上下中金银铜玉松竹梅兰荷桃李杏枫杨"
_LAST: Final = "溪桥坪塘岭湾沟坝庄店铺渡滩洲寨屯堡营口门"


class Site(NamedTuple):
    """Something that the network connects; `parent` is what it belongs to."""

    name: str
    level: str  # county, town, village
    parent: str
    area: str


class Machine(NamedTuple):
    number: int
    name: str
    department: str
    system: str
    area: str
    vcpus: int
    memory: int  # GiB
    care: float

    @property
    def id(self) -> str:
        return f"demo-{self.number:04}"


def sites() -> Iterator[Site]:
    """Areas, then towns, then villages."""
    names = _names()
    for area in AREAS:
        yield Site(area, "county", CITY, area)
    towns = [
        Site(f"{next(names)}镇", "town", area, area)
        for area, count in zip(AREAS, _TOWNS, strict=True)
        for _ in range(count)
    ]
    yield from towns
    for number in range(VILLAGES):
        town = towns[number % TOWNS]
        yield Site(f"{next(names)}村", "village", town.name, town.area)


def machines() -> Iterator[Machine]:
    for number in range(MACHINES):
        department, systems, short, care = DEPARTMENTS[number % len(DEPARTMENTS)]
        turn = number // len(DEPARTMENTS)
        vcpus = (4, 8, 4, 16, 8, 2)[turn % 6]
        role = ("web", "app", "db", "app", "cache", "web")[turn % 6]
        yield Machine(
            number,
            f"{short}-{role}-{turn + 1:02}",
            department,
            systems[turn % 2],
            AREAS[turn % 3],
            vcpus,
            vcpus * (4 if role == "db" else 2),
            care,
        )


def _names() -> Iterator[str]:
    """Two characters, each pair once."""
    pairs = (
        first + _LAST[(at * 7 + shift) % len(_LAST)]
        for shift in range(len(_LAST))
        for at, first in enumerate(_FIRST)
    )
    more = (first + second for first in _FIRST for second in _FIRST if first != second)
    yield from dict.fromkeys([*pairs, *more])
