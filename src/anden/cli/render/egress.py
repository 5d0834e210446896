"""`anden prove egress`, `anden prove links`: declared against observed."""

from anden.cli.render import words
from anden.cli.render.paint import Paint
from anden.cli.render.table import columns
from anden.model.report import EgressProof, EgressReport, IncomingProof, LinksReport

_SIGNS = {"proved": "✓", "opens": "~", "blocked": "…"}


def lines(report: EgressReport, paint: Paint) -> list[str]:
    """One line for each destination of each service in each zone, and how many were proved."""
    return ways(report, paint, "out")


def ways(report: EgressReport | LinksReport, paint: Paint, where: str) -> list[str]:
    """The same; where they lead: `out`, `through a link`."""
    if not report.proofs:
        there = "a destination" if where == "out" else "anything behind a link"
        return [f"Nothing to prove: no service reaches {there}"]
    titles = ("  SERVICE", "ZONE", "DESTINATION", "DECLARED", "SEEN", "")
    rows = [[paint.dim(title) for title in titles]]
    for each in report.proofs:
        sign = paint.sign(_SIGNS.get(each.verdict, "✗"))
        why = each.verdict + (f": {each.reason}" if each.reason else "")
        seen = each.observed or "-"
        rows.append([f"{sign} {each.service}", each.zone, each.destination, each.declared or "-", seen, why])
    proved = sum(each.verdict == "proved" for each in report.proofs)
    opens = sum(each.verdict == "opens" for each in report.proofs)
    said = f"{proved} of {words.count(len(report.proofs), 'way')} {where} proved"
    if opens:
        said += f", {opens} open from the declared address as AWS gives it: only the other side can see it"
    if report.since is not None:
        said += f"; declared so since {words.ago(report.since, report.at)}"
    return [*columns(rows), said]


def dialled(report: LinksReport, paint: Paint) -> list[str]:
    """One line for each try from behind a link, and how many were as declared; nothing where nothing may come in."""
    if not report.incoming:
        return []
    rows = [[paint.dim(title) for title in ("  LINK", "FROM", "DIALS", "ZONE", "SERVICE", "")]]
    for each in report.incoming:
        sign = paint.sign({"proved": "✓", "blocked": "…", "untried": "…"}.get(each.verdict, "✗"))
        why = each.verdict + (f": {each.reason}" if each.reason else "")
        service = each.service if each.admitted else f"not {each.service}"
        rows.append([f"{sign} {each.link}", each.source, each.to, each.zone, service, why])
    proved = sum(each.verdict == "proved" for each in report.incoming)
    return [
        *columns(rows),
        f"{proved} of {words.count(len(report.incoming), 'try', 'tries')} from behind a link proved",
    ]


def undeclared(report: LinksReport) -> tuple[IncomingProof, ...]:
    """What was tried from behind a link and is not as declared. What cannot be tried from here says so: no failure."""
    return tuple(each for each in report.incoming if each.verdict in ("silent", "opens"))


def failures(report: EgressReport | LinksReport) -> tuple[EgressProof, ...]:
    """What was tried and is not as declared. `blocked` is closed on this engine, and said so: not a failure."""
    return tuple(each for each in report.proofs if each.verdict not in _SIGNS)
