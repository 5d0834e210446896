"""Single values that are figures: ports, numbers, times, shares, objectives."""

import re

from anden.manifest.faults import Wrong
from anden.manifest.node import Scalar
from anden.manifest.record import Field, Record
from anden.manifest.shape import Leaf
from anden.manifest.wording import shown
from anden.model.topology import Latency

HIGHEST_PORT = 65535
MOST_ZONES = 4
LONGEST_TIMEOUT_S = 4_000
"""The idle timeout of an Application Load Balancer ends here."""
LONGEST_STOP_S = 120
"""Fargate's longest stopTimeout."""
LONGEST_START_S = 600
"""A change fails when a new instance takes longer."""

FIGURE = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_USUAL_PORTS = (8080, 443, 80, 8443, 3000, 5000, 8000, 5432, 3306, 6379, 9090)
_PORTS_BY_NAME = {"http": 80, "https": 443, "postgres": 5432, "postgresql": 5432, "mysql": 3306, "redis": 6379}


def near_port(text: str) -> int | None:
    """The port that was most likely meant: a digit too many, one of `8080:80`, the port of a protocol's name."""
    if text.lower() in _PORTS_BY_NAME:
        return _PORTS_BY_NAME[text.lower()]
    digits = re.findall(r"[0-9]+", text[:64])
    for each in reversed(digits):
        if len(each) <= 5 and 1 <= int(each) <= HIGHEST_PORT and each != text:
            return int(each)
    if len(digits) != 1:
        return None
    shorter = [digits[0][:i] + digits[0][i + 1 :] for i in range(len(digits[0]))]
    return next((port for port in _USUAL_PORTS if str(port) in shorter), None)


def _port(scalar: Scalar) -> int:
    if re.fullmatch(r"[0-9]{1,5}", scalar.text) and 1 <= int(scalar.text) <= HIGHEST_PORT:
        return int(scalar.text)
    close = near_port(scalar.text)
    raise Wrong(meant=close)


PORT = Leaf(
    "a port",
    f"ports run from 1 to {HIGHEST_PORT}",
    "8080",
    _port,
    {"type": "integer", "minimum": 1, "maximum": HIGHEST_PORT},
)


def whole(noun: str, rule: str, low: int, high: int, example: str) -> Leaf:
    """A whole number between two others, both allowed."""

    def parse(scalar: Scalar) -> int:
        if re.fullmatch(r"[0-9]{1,9}", scalar.text) and low <= int(scalar.text) <= high:
            return int(scalar.text)
        raise Wrong(f"Use {low if scalar.text.startswith(('-', '0')) else example}.")

    return Leaf(noun, rule, example, parse, {"type": "integer", "minimum": low, "maximum": high})


ZONES = whole("a number of zones", f"an environment has 1 to {MOST_ZONES} zones", 1, MOST_ZONES, str(MOST_ZONES))


def _version(scalar: Scalar) -> int:
    if scalar.text == "1":
        return 1
    if re.fullmatch(r"[0-9]{1,9}", scalar.text):
        raise Wrong("Use anden: 1, or an anden that knows it.", what=f"version {shown(scalar.text)} is not known")
    raise Wrong


VERSION = Leaf("a version of the manifest", "this anden reads version 1", "1", _version, {"const": 1})

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = rf"({FIGURE}) ?(ms|s|m|h)?"
_LONG_UNITS = {"sec": "s", "secs": "s", "second": "s", "seconds": "s", "min": "m", "mins": "m", "minute": "m"}
_LONG_UNITS |= {
    "minutes": "m",
    "hour": "h",
    "hours": "h",
    "hr": "h",
    "msec": "ms",
    "millis": "ms",
    "milliseconds": "ms",
}


def duration(noun: str, low_s: float, high_s: float, example: str, source: str = "") -> Leaf:
    """A time, in seconds: `30`, `30 s`, `2 m`, `500 ms`."""
    rule = f"{noun} is {low_s:g} s to {high_s:g} s" + (f" ({source})" if source else "")

    def parse(scalar: Scalar) -> float:
        found = re.fullmatch(_DURATION, scalar.text)
        if found is None:
            spelt = re.fullmatch(rf"({FIGURE}) ?([A-Za-z]+)", scalar.text)
            unit = _LONG_UNITS.get(spelt[2].lower(), spelt[2].lower()) if spelt else ""
            raise Wrong(meant=f"{spelt[1]} {unit}" if spelt else "")
        seconds = float(found[1]) * _UNITS_S[found[2] or "s"]
        if not low_s <= seconds <= high_s:
            raise Wrong(f"Use {low_s if seconds < low_s else high_s:g} s, or something between.")
        return seconds

    number = {"type": "number", "minimum": low_s, "maximum": high_s}
    return Leaf(
        noun, rule, example, parse, {"anyOf": [number, {"type": "string", "pattern": f"^{_ungrouped(_DURATION)}$"}]}
    )


def _ungrouped(pattern: str) -> str:
    return re.sub(r"\((?!\?)", "(?:", pattern)


TIMEOUT = duration("a timeout", 1, LONGEST_TIMEOUT_S, "30 s", "the longest that AWS's balancer waits")
STOP = duration("a time to stop", 1, LONGEST_STOP_S, "10 s", "the longest that Fargate waits")
START = duration("a time to start", 0, LONGEST_START_S, "10 s", "a change fails when a new instance takes longer")


def share(noun: str, low: float, high: float, rule: str, example: str, sign: bool = False) -> Leaf:
    """A percentage, as a number from `low` (allowed) to `high` (`sign`: allowed, otherwise not)."""

    def parse(scalar: Scalar) -> float:
        found = re.fullmatch(rf"({FIGURE}) ?%?", scalar.text)
        if found is None:
            raise Wrong
        percent = float(found[1])
        if low <= percent < high or (sign and percent == high):
            return percent
        raise Wrong(meant=f"{percent * 100:g}%" if percent < 1 else "")

    number = {"type": "number", "minimum": low, ("maximum" if sign else "exclusiveMaximum"): high}
    return Leaf(noun, rule, example, parse, {"anyOf": [number, {"type": "string", "pattern": f"^{FIGURE} ?%?$"}]})


AVAILABILITY = share(
    "an availability", 50, 100, "availabilities run from 50% to below 100%; 100% leaves no error budget", "99.9%"
)
PERCENT = share("a share of requests", 1, 100, "it runs from 1% to below 100%", "99%")
UNDER = duration("a latency", 0.001, 3600, "300 ms")


def _latency(scalar: Scalar) -> Latency:
    found = re.fullmatch(rf"({FIGURE}) ?% ?< ?({FIGURE}) ?(ms|s)", scalar.text)
    if found is None:
        raise Wrong
    percent, under_ms = float(found[1]), float(found[2]) * (1 if found[3] == "ms" else 1000)
    if not 1 <= percent < 100 or not 1 <= under_ms <= 3_600_000:
        raise Wrong
    return Latency(percent, under_ms)


LATENCY = Leaf(
    "an objective for latency",
    "it says which share of requests (1% to below 100%) answers in less than which time (1 ms to 1 h)",
    "99% < 300 ms",
    _latency,
    {"type": "string", "pattern": rf"^{FIGURE} ?% ?< ?{FIGURE} ?(?:ms|s)$"},
)
LATENCY_LONG = Record(
    "latency",
    "an objective for latency",
    (
        Field("percent", PERCENT, "The share of requests.", required=True, example="99%"),
        Field("under", UNDER, "The time that they stay under.", required=True, example="300 ms"),
    ),
    "99% < 300 ms",
    build=lambda said: Latency(said.get("percent"), said.get("under") * 1000),
)
