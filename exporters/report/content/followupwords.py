"""What the follow-up file and its part of the report say of themselves; Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rules.model import Text

SAID: Final[Mapping[str, Text]] = {
    "seen": Text("数据所见", "seen in the data"),
    "nobody": Text("未归属", "nobody"),
    "released": Text("已释放", "released"),
    "moved": Text("现归属 {0}", "now of {0}"),
    "back": Text("{0} 又恢复原规格", "as large as before again in {0}"),
    "not_seen": Text("数据中未见规格变化", "no change of size is seen in the data"),
    "changed": Text("{0} 建议由{1}改为{2}", "in {0} the advice went from {1} to {2}"),
    "opposite": Text("使用上升，原建议失效：{0}", "use went up, and the advice lapsed: {0}"),
    "no_more": Text("不再建议：{0}", "advised no more: {0}"),
    "exempt": Text("已豁免（{0}）", "exempt ({0})"),
    "under_way": Text(
        "本月未结束，跟踪表未更新，以下为现状。",
        "The month is not over: the follow-up file was not carried on, and is shown as it stands.",
    ),
    "older": Text(
        "跟踪表已更新至 {0}，补做较早月份的通报不改动跟踪表，以下为现状。",
        "The follow-up file has been carried on to {0}: an older month changes nothing in it, and it is shown as it"
        " stands.",
    ),
}
