"""The lines of a load: one JSON object each. The first says when it began, the last why it ended."""

import json
from dataclasses import dataclass
from typing import Any

from anden.model.traffic import Tally


@dataclass(frozen=True, slots=True)
class Began:
    """at: Unix seconds. count: how many requests will be sent when nothing ends it before."""

    at: float
    rate: float
    count: int


@dataclass(frozen=True, slots=True)
class Ended:
    """why: `all were sent`, `its reader left`, … `connections`: how many were open at once at most."""

    why: str
    connections: int = 0


Line = Began | Tally | Ended


def write(line: Line) -> str:
    """As one line of text, without its end."""
    if isinstance(line, Began):
        data: dict[str, Any] = {"began": line.at, "rate": line.rate, "count": line.count}
    elif isinstance(line, Ended):
        data = {"ended": line.why, "connections": line.connections}
    else:
        data = {
            "until_s": round(line.until_s, 4), "sent": line.sent, "answered": line.answered, "failed": line.failed,
            "failed_after_retry": line.failed_after_retry, "kinds": dict(line.kinds),
            "latency": {str(bucket): count for bucket, count in sorted(line.latency.items())}, "waiting": line.waiting,
        }  # fmt: skip
    return json.dumps(data, separators=(",", ":"))


def read(text: str) -> Line:
    """The line that `text` is. Raises ValueError or KeyError for anything else."""
    data = json.loads(text)
    if "began" in data:
        return Began(data["began"], data["rate"], data["count"])
    if "ended" in data:
        return Ended(data["ended"], data["connections"])
    latency = {int(bucket): count for bucket, count in data["latency"].items()}
    return Tally(
        data["until_s"], data["sent"], data["answered"], data["failed"], data["failed_after_retry"], data["kinds"],
        latency, data["waiting"],
    )  # fmt: skip
