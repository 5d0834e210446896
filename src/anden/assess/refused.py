"""Services that go on trying what is refused: a mistake in the manifest, or somebody who should not be there."""

from collections.abc import Iterable

from anden.model.finding import Finding, Severity
from anden.model.refused import Refused

REPEATED = 10
"""Packets or questions from which it is worth a look: one try that meets silence sends four within seven seconds."""
RECENT_S = 600.0
MOST = 5
"""Findings; `anden refused` shows all."""


def assess(rows: Iterable[Refused], now: float) -> tuple[Finding, ...]:
    """One finding for each service and what it goes on trying. now: Unix seconds."""
    found = [row for row in rows if row.count >= REPEATED and now - row.last <= RECENT_S]
    found.sort(key=lambda row: row.outside)  # whoever is behind a link crowds out no service
    return tuple(
        Finding(
            Severity.WARNING,
            row.service,
            f"refused {row.count:,} times: {row.to}{'' if row.port is None else f':{row.port}'}, {row.why}",
            row.fix,
        )
        for row in found[:MOST]
    )
