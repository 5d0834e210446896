"""A moment as people say it: so long ago, or a date and time."""

import re
from datetime import datetime, tzinfo

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
SAY = "Say 30s, 10m, 2h, 1d, or a date and time such as 2026-11-26T14:00."


def duration(said: str) -> float:
    """Seconds of `30m`, `2h`, `7d`. Raises ValueError."""
    found = re.fullmatch(r"(\d{1,9})([smhd])", said)
    if found is None:
        raise ValueError(f"{said!r} is no time. Say 30m, 2h or 7d.")
    return float(int(found[1]) * UNITS_S[found[2]])


def moment(said: str, now: float, zone: tzinfo | None) -> float:
    """Unix seconds of `10m` (before now) or `2026-11-26T14:00` (in `zone`, unless it names one itself; None: this
    machine's). Raises ValueError: it is neither."""
    ago = re.fullmatch(r"(\d{1,9})([smhd])", said)
    if ago is not None:
        return now - int(ago[1]) * UNITS_S[ago[2]]
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        raise ValueError(f"{said!r} is no time. {SAY}") from None
    try:
        return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).timestamp()
    except (OverflowError, OSError, ValueError):
        raise ValueError(f"{said!r} is no time that a clock here shows. {SAY}") from None
