"""How many instances, and what they follow."""

import re

from anden.manifest.faults import Wrong
from anden.manifest.figures import FIGURE, share, whole
from anden.manifest.node import Scalar
from anden.manifest.record import Field, Record, Said
from anden.manifest.shape import Leaf
from anden.model.topology import Range, Scale, ScaleMetric

MOST_INSTANCES = 5_000
"""Tasks of an ECS service, by its quota."""
MOST_REQUESTS = 100_000
"""In flight for each instance."""

CPU_LOAD = share("a CPU load", 1, 100, "a load to aim at runs from 1% to 100%", "60%", sign=True)
REQUESTS = whole("a number of requests", "requests in flight for each instance, 1 to 100,000", 1, MOST_REQUESTS, "50")
COUNT = whole("a number of instances", f"a service has 0 to {MOST_INSTANCES:,} instances", 0, MOST_INSTANCES, "2")


def _instances(scalar: Scalar) -> Range:
    found = re.fullmatch(r"([0-9]{1,9})(?:\.\.([0-9]{1,9}))?", scalar.text)
    if found is not None:
        base = int(found[1])
        return _range(base, int(found[2]) if found[2] else base)
    both = re.fullmatch(r"\s*([0-9]{1,9})[^0-9]{1,9}([0-9]{1,9})\s*", scalar.text)
    if both is not None:
        low, high = sorted((int(both[1]), int(both[2])))
        raise Wrong(meant=f"{low}..{high}")
    one = re.fullmatch(r"[^0-9]{0,9}([1-9][0-9]{0,8})[^0-9]{0,9}", scalar.text)
    raise Wrong(meant=one[1] if one else "")


def _range(base: int, most: int) -> Range:
    if most < base:
        raise Wrong(
            meant=f"{most}..{base}",
            what=f"{base}..{most} runs backwards",
            why="a range runs from the contracted base to the most",
        )
    if most == 0:
        raise Wrong(
            "Use 1, or remove the service.", what="0 instances never run", why="the end of a range is 1 or more"
        )
    if most > MOST_INSTANCES:
        raise Wrong(
            f"Use {MOST_INSTANCES} or fewer.",
            what=f"{most:,} instances are too many",
            why=f"an ECS service has at most {MOST_INSTANCES:,}",
        )
    return Range(base, most)


INSTANCES = Leaf(
    "a number or range of instances",
    "instances are a number, or base..max: the contracted base and the most under load",
    "2 or 2..8",
    _instances,
    {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^[0-9]+\.\.[0-9]+$"}]},
)
INSTANCES_LONG = Record(
    "instances",
    "a range of instances",
    (
        Field("base", COUNT, "The contracted base: never fewer.", required=True, example="2"),
        Field("max", COUNT, "The end of the elastic range; absent: the base."),
    ),
    "2..8",
    build=lambda said: _range(said.get("base"), said.get("max", said.get("base"))),
)


def _scale(scalar: Scalar) -> Scale:
    text = scalar.text
    requests = re.fullmatch(rf"({FIGURE}) requests?", text)
    cpu = re.fullmatch(rf"({FIGURE}) ?% ?(?:cpu|CPU)", text)
    if requests and 1 <= float(requests[1]) <= MOST_REQUESTS:
        return Scale(ScaleMetric.REQUESTS, float(requests[1]))
    if cpu and 1 <= float(cpu[1]) <= 100:
        return Scale(ScaleMetric.CPU, float(cpu[1]))
    figure = re.search(FIGURE, text)
    if figure is None or requests or cpu:
        raise Wrong
    by_cpu = "%" in text or "cpu" in text.lower()
    raise Wrong(meant=f"{figure[0]}{'% cpu' if by_cpu else ' requests'}")


SCALE = Leaf(
    "a target to scale by",
    "a service scales by requests in flight for each instance (1 to 100,000), or by CPU load (1% to 100%)",
    "50 requests, or 60% cpu",
    _scale,
    {"type": "string", "pattern": rf"^{FIGURE} ?(?:requests?|% ?(?:cpu|CPU))$"},
)


def _scale_long(said: Said) -> Scale:
    given = [metric for metric in ScaleMetric if not said.absent(metric)]
    if len(given) != 1:
        raise Wrong(
            "Use `{ requests: 50 }` or `{ cpu: 60% }`.",
            what="both requests and cpu stand here" if given else "neither requests nor cpu stands here",
            why="a service scales by one of the two",
        )
    return Scale(given[0], float(said.get(given[0])))


SCALE_LONG = Record(
    "scale",
    "a target to scale by",
    (
        Field("requests", REQUESTS, "Requests in flight for each instance."),
        Field("cpu", CPU_LOAD, "Percent of the CPU size."),
    ),
    "50 requests, or 60% cpu",
    build=_scale_long,
)
