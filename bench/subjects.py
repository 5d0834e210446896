"""The subjects, in the order in which they are measured and shown."""

from bench import balancer, firewall, gateway, memory, planning, render, starts, tunnel, up
from bench.figure import Row, Subject

SUBJECTS = (
    Subject("starts", starts.ROWS, starts.measure),
    Subject("balancer", balancer.ROWS, balancer.measure),
    Subject("gateway", gateway.ROWS, gateway.measure, "benchmarks-gateway.md"),
    Subject("up", up.ROWS, up.measure),
    Subject("planning", planning.ROWS, planning.measure),
    Subject("firewall", firewall.ROWS, firewall.measure),
    Subject("tunnel", tunnel.ROWS, tunnel.measure, "benchmarks-links.md"),
    Subject("render", render.ROWS, render.measure, "aws/benchmarks.md"),
    Subject("memory", memory.ROWS, memory.measure),
)


PAGES = tuple(sorted({subject.page for subject in SUBJECTS}))
"""What `--write` writes, below docs/: each as a whole, for a page has one date and one machine."""


def rows(page: str | None = None) -> tuple[Row, ...]:
    """Every row of every subject, or of those of a page."""
    return tuple(row for subject in SUBJECTS if page in {None, subject.page} for row in subject.rows)
