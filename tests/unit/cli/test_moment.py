"""Moments as people say them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from anden.cli.moment import moment

NOW = datetime(2026, 11, 26, 15, 0, tzinfo=UTC).timestamp()
BOGOTA = timezone(timedelta(hours=-5))


@pytest.mark.parametrize(
    ("said", "ago_s"),
    [("30s", 30), ("10m", 600), ("2h", 7200), ("1d", 86_400), ("0s", 0), ("2026-11-26T14:00Z", 3600),
     ("2026-11-26T09:00", 3600), ("2026-11-26 09:00:30", 3570), ("2026-11-26T14:00+01:00", 7200),
     ("2026-11-26", 10 * 3600)],
)  # fmt: skip
def test_how_long_ago_or_when(said: str, ago_s: float) -> None:
    assert moment(said, NOW, BOGOTA) == NOW - ago_s


@pytest.mark.parametrize("said", ["", "10", "m", "-5m", "10 m", "1.5h", "yesterday", "2026-13-01", "9" * 12 + "d"])
def test_anything_else_is_refused_with_what_to_say(said: str) -> None:
    with pytest.raises(ValueError, match="Say 30s, 10m, 2h, 1d, or a date"):
        moment(said, NOW, UTC)


def test_without_a_zone_it_is_this_machine_s() -> None:
    assert moment("2026-11-26T09:00", NOW, None) == datetime(2026, 11, 26, 9, 0).astimezone().timestamp()
