"""The subjects, in the order in which they are measured and shown."""

from bench import balancer, firewall, memory, planning, render, starts, up
from bench.figure import Row, Subject

SUBJECTS = (
    Subject("starts", starts.ROWS, starts.measure),
    Subject("balancer", balancer.ROWS, balancer.measure),
    Subject("up", up.ROWS, up.measure),
    Subject("planning", planning.ROWS, planning.measure),
    Subject("firewall", firewall.ROWS, firewall.measure),
    Subject("render", render.ROWS, render.measure),
    Subject("memory", memory.ROWS, memory.measure),
)


def rows() -> tuple[Row, ...]:
    """Every row of every subject."""
    return tuple(row for subject in SUBJECTS for row in subject.rows)
