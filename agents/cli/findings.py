"""`jianwei findings status`: what waits for the receivers of findings."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import click
import msgspec

from agents import config as configuration
from agents.cli.options import config_option, language_of, language_option
from agents.errors import UserError
from agents.state import state_dir
from agents.telling import FOLDER, SINKS
from exporters.findings.columns import aligned
from exporters.findings.queue import Fill, QueueError, looked_at
from rules.model import Text

_HEADS = (
    Text("接收端", "Receiver"),
    Text("待发", "Waiting"),
    Text("字节", "Bytes"),
    Text("最早等待（秒）", "Oldest (s)"),
    Text("已发", "Sent"),
    Text("丢弃", "Dropped"),
    Text("拒收", "Refused"),
)
_NONE = Text("没有配置接收端，也没有待发消息。", "No receiver is configured, and nothing waits.")


@click.group(name="findings")
def command() -> None:
    """What receivers of findings are told."""


@command.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@language_option
def status(path: str | None, as_json: bool, lang: str | None) -> None:
    """What waits for each receiver, since when, and what was dropped. The agent may be running.

    \b
    Example:
      jianwei findings status --config /etc/jianwei/jianwei.yaml
    Exit codes: 0 done, 2 bad configuration, or the queues cannot be read (run it as the agent's user).
    """
    folder = state_dir(configuration.load(path)) / FOLDER
    found: dict[str, Fill] = {}
    for name in SINKS:
        try:
            fill = looked_at(folder / name)
        except (QueueError, OSError) as error:
            raise UserError(f"{folder / name}: {error}") from error
        if fill:
            found[name] = fill
    if as_json:
        click.echo(msgspec.json.encode({name: _told(fill) for name, fill in found.items()}))
        return
    language = language_of(lang)
    if not found:
        click.echo(_NONE.of(language))
        return
    rows = [[head.of(language) for head in _HEADS]]
    now = time.time()
    for name, fill in found.items():
        age = max(0.0, now - fill.oldest) if fill.oldest is not None else 0.0
        counts = (fill.messages, fill.bytes, f"{age:.0f}", fill.sent, fill.dropped, fill.refused)
        rows.append([name, *map(str, counts)])
    click.echo("\n".join(aligned(rows)))


def _told(fill: Fill) -> dict[str, object]:
    oldest = fill.oldest
    when = None if oldest is None else datetime.fromtimestamp(oldest, UTC)
    return {**fill._asdict(), "oldest": when}
