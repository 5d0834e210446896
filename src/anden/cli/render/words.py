"""Numbers, times and sizes as people read them."""

from datetime import UTC, datetime, tzinfo

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86400
MIB = 1 << 20


def seconds(took: float) -> str:
    """`0.4s`, `75s`, `4m10s`: how long something took."""
    if took < MINUTE_S:
        return f"{took:.1f}s"
    if took < HOUR_S:
        return f"{int(took // MINUTE_S)}m{int(took % MINUTE_S):02d}s"
    return f"{int(took // HOUR_S)}h{int(took % HOUR_S // MINUTE_S):02d}m"


def ago(then: float, now: float) -> str:
    """`1s ago`, `4m ago`, `3h ago`, `2d ago`; `now` for what the clock puts in the future."""
    passed = now - then
    if passed < 1:
        return "now"
    for unit, length in (("d", DAY_S), ("h", HOUR_S), ("m", MINUTE_S)):
        if passed >= length:
            return f"{int(passed // length)}{unit} ago"
    return f"{int(passed)}s ago"


def clock(at: float, zone: tzinfo = UTC) -> str:
    """`14:03:09` in `zone`."""
    return datetime.fromtimestamp(at, zone).strftime("%H:%M:%S")


def moment(at: float, zone: tzinfo = UTC) -> str:
    """`2025-11-24 14:03:09` in `zone`."""
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M:%S")


def mebibytes(size: int) -> str:
    """`38 MB`, as the manifest writes sizes."""
    return f"{size / MIB:.0f} MB"


def count(number: int, one: str, many: str = "") -> str:
    """`1 zone`, `3 zones`, `2 processes` (with `many`)."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def tag(digest: str | None) -> str:
    """The four digits by which people name a blueprint; `nothing` when there is none."""
    return digest.removeprefix("sha256:")[:4] if digest else "nothing"
