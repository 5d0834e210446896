"""Environments that died and were brought back: people are told for a while, for nothing else shows it."""

from collections.abc import Iterable

from anden.model.command import BRING_BACK, Command
from anden.model.finding import Finding, Severity

TOLD_S = 3600.0
"""How long it stays worth showing."""


def assess(commands: Iterable[Command], now: float) -> tuple[Finding, ...]:
    """One finding for the last time, and how often it was. commands: those of one environment; now: Unix seconds."""
    recent = [one for one in commands if one.what == BRING_BACK and 0 <= now - one.at <= TOLD_S]
    if not recent:
        return ()
    last = max(recent, key=lambda one: one.id)
    times = "" if len(recent) == 1 else f" ({len(recent)} times within an hour)"
    text = f"it died and was brought back {_ago(now - last.at)}: {last.detail}{times}"
    return (Finding(Severity.WARNING, last.key.environment, text, "anden history"),)


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"
