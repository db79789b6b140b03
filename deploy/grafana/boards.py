"""The dashboards. Titles are Chinese, descriptions English."""

from __future__ import annotations

from typing import Final

from deploy.grafana import agent, baseline, estate, host, ipv6, lines

BOARDS: Final = (estate.BOARD, host.BOARD, lines.BOARD, ipv6.BOARD, baseline.BOARD, agent.BOARD)
