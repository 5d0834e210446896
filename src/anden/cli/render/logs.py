"""`anden logs`: a line that an instance wrote."""

from collections.abc import Mapping
from datetime import UTC, tzinfo

from anden.cli.render import words
from anden.cli.render.paint import Paint, clean
from anden.model.log import LogLine


def line(said: LogLine, paint: Paint, zone: tzinfo = UTC, numbers: Mapping[str, int] | None = None) -> str:
    """`14:03:09 accounts-1 text`. The text is the instance's own, but for control characters; `numbers`: service to
    the number that gives it its colour."""
    service = said.instance.rpartition("-")[0] or said.instance
    name = paint.service((numbers or {}).get(service, 0), said.instance)
    return f"{paint.dim(words.clock(said.at, zone))} {name} {clean(said.text)}"
