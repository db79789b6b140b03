"""The example city's monthly report, as `jianwei report` makes it."""

from __future__ import annotations

from agents import config as configuration
from agents import reportprofile
from agents.demo.making import Made
from agents.reportrun import Wanted, run
from rules import pack as packs
from rules.usagemodel import PACK
from rules.usagethresholds import thresholds_of


def made_report(made: Made) -> None:
    profile = reportprofile.load(str(made.profile))
    thresholds = thresholds_of(packs.resolve(packs.outline(PACK), profile.params))
    folder = made.settings.reports
    run(Wanted(profile, configuration.load(None), thresholds, folder), made.month, lambda _: None)
