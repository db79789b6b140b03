"""The landing page: this host at a glance, and links to everything that is served.

One HTML page without scripts, styled by /style.css alone. Names of disks, interfaces, targets and
reasons come from the machine and the network: every value is escaped where it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from collectors.model import ProbeResult
from collectors.observe import Observation
from exporters.prometheus.landingtext import (
    Say,
    duration,
    moment,
    rate,
    share_of,
    shortened,
    size,
    text,
)
from exporters.prometheus.overview import Disk, Interface, Overview, PackScore, Usage, usage

LINKS = (
    ("/metrics", "link_metrics", True),
    ("/findings", "link_findings", True),
    ("/probe", "link_probe", False),
    ("/-/healthy", "link_healthy", True),
    ("/-/ready", "link_ready", True),
    ("/-/reload", "link_reload", False),
)
REASON = 90  # characters of a collector's reason that are shown
WARN, ALARM = 0.8, 0.9  # shares of a resource in use from which it is marked


def page(overview: Overview, language: str, insecure: bool = False) -> str:
    """The page in `zh` or `en`. `insecure`: strangers can reach it unprotected."""

    def say(key: str) -> str:
        return escape(text(key, language))

    used = usage(overview)
    title = escape(used.hostname) or say("title")
    other = "zh" if language == "en" else "en"
    body = [
        _header(overview, used, say, f'<a href="/?lang={other}">{say("other_language")}</a>'),
        "<main>",
        f'<p class="notice">{say("insecure")}</p>' if insecure else "",
        _usage(used, say),
        _packs(overview, say, language),
        _probes(overview.probes, say),
        _ipv6(overview, say),
        _disks(used.disks, say),
        _network(used.interfaces, say),
        _collectors(overview, say),
        _links(say),
        "</main>",
    ]
    return (
        f'<!doctype html>\n<html lang="{"en" if language == "en" else "zh-CN"}">\n'
        f'<head><meta charset="utf-8"><title>{title} · {say("product")}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="stylesheet" href="/style.css"></head>\n'
        f"<body>\n{''.join(body)}\n</body></html>\n"
    )


def _header(overview: Overview, used: Usage, say: Say, switch: str) -> str:
    facts = [escape(used.system), escape(used.kernel)]
    if used.uptime is not None:
        facts.append(f"{say('up')} {duration(used.uptime, say)}")
    facts.append(f"{say('product')} {escape(overview.version)}")
    facts.append(f"{say('agent_since')} {moment(overview.started)}")
    shown = "".join(f"<li>{fact}</li>" for fact in facts if fact)
    return (
        f'<header><div class="top"><span class="brand">{say("product")}</span>'
        f'<span class="now">{moment(overview.now)}</span>{switch}</div>'
        f'<h1>{escape(used.hostname) or say("title")}</h1><ul class="facts">{shown}</ul></header>'
    )


def _usage(used: Usage, say: Say) -> str:
    hint = f"{used.cpus} {say('cpus')}" if used.cpus else ""
    if used.cpu_since_boot and used.cpu is not None:
        hint += f" · {say('since_boot')}"
    cards = [
        _card(say("cpu"), share_of(used.cpu, say), hint, used.cpu),
        _size_card(say("memory"), used.memory_total, used.memory_available, say),
        _size_card(say("swap"), used.swap_total, used.swap_free, say),
        _card(
            say("load"),
            " · ".join(f"{value:.2f}" for value in used.load) or say("unknown"),
            say("load_hint") if used.load else "",
            None,
        ),
    ]
    return _section(say("usage"), f'<div class="cards">{"".join(cards)}</div>')


def _size_card(name: str, total: float | None, free: float | None, say: Say) -> str:
    if total is None or free is None:
        return _card(name, say("unknown"), "", None)
    if not total:
        return _card(name, say("no_swap"), "", None)
    share = 1 - free / total
    hint = f"{size(total - free)} / {size(total)}"
    return _card(name, share_of(share, say), hint, share)


def _card(name: str, value: str, hint: str, share: float | None) -> str:
    bar = "" if share is None else _bar(share)
    return (
        f'<div class="card"><h3>{name}</h3><p class="value">{value}</p>{bar}'
        f'<p class="hint">{hint}</p></div>'
    )


def _bar(share: float) -> str:
    level = "alarm" if share >= ALARM else "warn" if share >= WARN else "fine"
    width = min(max(share, 0.0), 1.0) * 100
    return (
        f'<svg class="bar {level}" viewBox="0 0 100 6" preserveAspectRatio="none" '
        f'aria-hidden="true"><rect class="track" width="100" height="6"/>'
        f'<rect class="used" width="{width:.1f}" height="6"/></svg>'
    )


def _packs(overview: Overview, say: Say, language: str) -> str:
    def row(pack: PackScore) -> tuple[str, ...]:
        title = pack.title.get(language) or pack.title.get("zh") or pack.name
        return (
            f"{escape(title)} <small>{escape(pack.name)}</small>",
            f"<strong>{share_of(pack.score, say)}</strong>",
            *(
                f'<span class="{kind if count else "zero"}">{count}</span>'
                for kind, count in (
                    ("pass", pack.passed),
                    ("fail", pack.failed),
                    ("unsure", pack.unknown),
                    ("unsure", pack.manual),
                    ("zero", pack.not_applicable),
                )
            ),
        )

    heads = ("pack", "score", "pass", "fail", "verdict_unknown", "manual", "not_applicable")
    when = f"{say('audited')} {moment(overview.audited)}" if overview.audited else ""
    problem = overview.audit_problem
    return _section(
        say("packs"),
        (f'<p class="notice">{escape(problem)}</p>' if problem else "")
        + _table(heads, map(row, overview.packs), say, numbers=6),
        when,
    )


def _probes(probes: Sequence[ProbeResult], say: Say) -> str:
    def row(probe: ProbeResult) -> tuple[str, ...]:
        mean = f"{sum(probe.rtts) / len(probe.rtts) * 1000:.2f} ms" if probe.rtts else "—"
        if probe.success:
            result = _state("pass", say("reachable"))
        else:
            detail = f" <small>{escape(probe.detail)}</small>" if probe.detail else ""
            result = _state("fail", say(f"reason_{probe.reason or 'error'}")) + detail
        family = "IPv6" if probe.family == "ipv6" else "IPv4"
        return (
            escape(probe.target),
            f"<code>{escape(probe.address)}</code>",
            f"{family} <small>{escape(probe.prober)}</small>",
            result,
            mean,
            f"{probe.loss:.0%}",
        )

    heads = ("target", "address", "family", "result", "rtt", "loss")
    return _section(say("probes"), _table(heads, map(row, probes), say, numbers=2))


def _ipv6(overview: Overview, say: Say) -> str:
    def codes(values: tuple[str, ...] | None) -> str:
        if values is None:
            return say("unknown")
        return "<br>".join(f"<code>{escape(value)}</code>" for value in values) or say("none")

    state = overview.ipv6
    listeners = say("unknown") if state.listeners is None else str(state.listeners)
    rows = (
        (say("addresses"), codes(state.addresses)),
        (say("gateways"), codes(state.gateways)),
        (say("listeners"), listeners),
    )
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    return _section(say("ipv6"), f"<dl>{listed}</dl>")


def _disks(disks: Sequence[Disk], say: Say) -> str:
    def row(disk: Disk) -> tuple[str, ...]:
        mark = f" <small>{say('readonly')}</small>" if disk.readonly else ""
        name = f"<code>{escape(disk.mountpoint)}</code>{mark}"
        if disk.error:
            failed = _state("fail", say("no_answer"))
            return (name, escape(disk.fstype), failed, "—", "—")
        return (
            name,
            escape(disk.fstype),
            f"{_bar(disk.used)} {disk.used:.0%}",
            size(disk.available),
            size(disk.size),
        )

    heads = ("mountpoint", "type", "used", "available", "size")
    return _section(say("disks"), _table(heads, map(row, disks), say, numbers=2))


def _network(interfaces: Sequence[Interface], say: Say) -> str:
    def row(interface: Interface) -> tuple[str, ...]:
        if interface.up is None:
            state = _state("unsure", say("unknown"))
        elif interface.up:
            state = _state("pass", say("if_up"))
        else:
            state = _state("zero", say("if_down"))
        name = f"<code>{escape(interface.device)}</code>"
        return name, state, rate(interface.receive), rate(interface.transmit)

    heads = ("interface", "state", "receive", "transmit")
    return _section(say("network"), _table(heads, map(row, interfaces), say, numbers=2))


def _collectors(overview: Overview, say: Say) -> str:
    def item(one: Observation) -> str:
        if not one.failure:
            return (
                f'<li class="pass"><b>{escape(one.collector)}</b> {say("ok")}'
                f" <small>{one.seconds * 1000:.1f} ms</small></li>"
            )
        why = say(f"failure_{one.failure}")
        # hardware or a subsystem that this host does not have is no fault
        kind = "zero" if one.failure == "absent" else "fail"
        return (
            f'<li class="{kind}"><b>{escape(one.collector)}</b> {why}'
            f" <small>{escape(shortened(one.reason, REASON))}</small></li>"
        )

    items = "".join(map(item, overview.observations)) or f"<li>{say('unknown')}</li>"
    off = ", ".join(map(escape, overview.disabled))
    return _section(
        say("collectors"),
        f'<ul class="chips">{items}</ul>'
        + (f'<p class="hint">{say("collectors_off")}: {off}</p>' if off else ""),
    )


def _links(say: Say) -> str:
    def item(path: str, key: str, link: bool) -> str:
        code = f"<code>{path}</code>"
        shown = f'<a href="{path}">{code}</a>' if link else code
        return f"<li>{shown} {say(key)}</li>"

    rows = "".join(item(*link) for link in LINKS)
    return _section(say("links"), f'<ul class="links">{rows}</ul>')


def _section(title: str, content: str, aside: str = "") -> str:
    beside = f'<span class="aside">{aside}</span>' if aside else ""
    return f"\n<section><h2>{title}{beside}</h2>{content}</section>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], say: Say, numbers: int) -> str:
    """A table of cells already escaped; the last `numbers` columns are aligned as numbers."""
    first = len(heads) - numbers
    classes = [' class="number"' if i >= first else "" for i in range(len(heads))]
    head = "".join(f"<th{c}>{say(key)}</th>" for c, key in zip(classes, heads, strict=True))
    lines = "".join(
        f"<tr>{''.join(f'<td{c}>{cell}</td>' for c, cell in zip(classes, row, strict=True))}</tr>"
        for row in rows
    )
    if not lines:
        return f'<p class="hint">{say("none")}</p>'
    return f'<div class="scroll"><table><tr>{head}</tr>{lines}</table></div>'


def _state(kind: str, words: str) -> str:
    return f'<span class="{kind}">{words}</span>'
