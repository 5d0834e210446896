"""The last lines of `anden up`: where it answers, and what to try next."""

import shlex

from anden.cli.render import words
from anden.cli.render.paint import Paint
from anden.model.ids import EngineName
from anden.model.report import StatusReport
from anden.model.topology import Topology

MOST_URLS = 5
"""More are a matter of `anden status`."""


def ready(report: StatusReport, took_s: float, paint: Paint) -> list[str]:
    """`Ready in 1.1s  http://127.0.0.1:8080/accounts`, and further addresses below the first."""
    said = f"Ready in {words.seconds(took_s)}"
    urls = [each.url for each in report.services if each.url]
    shown = urls[:MOST_URLS]
    if not shown:
        return [said]
    rest = [" " * len(said) + "  " + paint.link(url) for url in shown[1:]]
    more = [" " * len(said) + f"  and {len(urls) - MOST_URLS} more: anden status"] if len(urls) > MOST_URLS else []
    simulated = " (simulated: nothing listens there)" if report.engine == EngineName.SIMULATED else ""
    return [paint.good(said) + "  " + paint.link(shown[0]) + simulated, *rest, *more]


def hint(
    topology: Topology | None, environment: str | None, engine: EngineName, command: str = "anden", folder: str = ""
) -> str:
    """`Try: anden reach accounts ledger`: a declared pair, of services if there is one, as it works from where the
    person stands. command: how anden was called. folder: the manifest's, when it is another one."""
    if topology is None:
        return ""
    names = {service.name for service in topology.services}
    pairs = [(service.name, place) for service in topology.services for place in service.reaches]
    pairs.sort(key=lambda pair: pair[1] not in names)
    words_ = [command, "reach", *pairs[0]] if pairs else [command, "status"]
    words_ += ["-C", folder] if folder else []
    words_ += ["-e", environment] if environment else []
    words_ += ["--on", str(engine)] if engine is not EngineName.LOCAL else []
    return "Try: " + shlex.join(words_)
