"""Issuers whose keys are fetched, and that do not answer as they should."""

from collections.abc import Iterator
from datetime import UTC, datetime

from anden.model.finding import Finding, Severity
from anden.model.issuer import Known
from anden.model.topology import Topology

OLD_S = 7 * 86_400.0
"""Keys that nobody has confirmed for this long are trouble: whoever took one back would not have reached us."""


def assess(topology: Topology, known: Known, now: float) -> tuple[Finding, ...]:
    """One finding for each issuer whose last answer was none, or none of use."""
    return tuple(_all(topology, known, now))


def _all(topology: Topology, known: Known, now: float) -> Iterator[Finding]:
    names: dict[str, list[str]] = {}
    for each in topology.auth:
        names.setdefault(each.issuer, []).append(each.name)
    for issuer in topology.fetched_issuers():
        subject, of = f"auth {', '.join(names[issuer])}", known.get(issuer)
        if of is None:
            yield Finding(Severity.WARNING, subject, "its keys were not fetched yet: its routes answer 503")
        elif of.problem is not None and of.failing is not None:
            cause = (str(of.problem),)
            since = _moment(of.failing)
            if of.at is None:
                text = f"it has given no keys since {since}: its routes answer 503"
                yield Finding(Severity.TROUBLE, subject, text, of.problem.fix, None, cause)
            else:
                severity = Severity.TROUBLE if now - of.at > OLD_S else Severity.WARNING
                text = f"no good answer since {since}: {of.problem.what}; the keys of {_moment(of.at)} stay"
                yield Finding(severity, subject, text, of.problem.fix, None, cause)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
