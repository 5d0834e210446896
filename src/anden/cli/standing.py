"""What stands after Ctrl-C."""

import sys

from anden.app import Session
from anden.cli.main import CANCELLED
from anden.cli.place import Place
from anden.cli.render import words
from anden.model import codec
from anden.model.problem import Problems
from anden.model.report import StatusReport


def cancelled(api: Session, place: Place, continues: str) -> int:
    """Say what stands, as far as can be told. Returns the exit code."""
    try:
        data = api.request("POST", "/v1/status", {"at": place.at(with_manifest=False)})
        stands = sentence(codec.from_data(StatusReport, data))
    except (Problems, KeyboardInterrupt):
        stands = "what stands could not be told"
    sys.stderr.write(f"cancelled; {stands}: anden status shows, {continues} continues\n")
    return CANCELLED


def sentence(report: StatusReport) -> str:
    """`the target stays b7e1, 3 of 5 instances healthy`."""
    if report.blueprint is None:
        return "nothing was changed" if not report.running else "no target is set"
    healthy = sum(each.healthy for each in report.services)
    wanted = sum(each.level for each in report.services)
    return f"the target stays {words.tag(report.blueprint)}, {healthy} of {words.count(wanted, 'instance')} healthy"
