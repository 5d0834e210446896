"""What a drill asks for: the routes that answer without a token."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from anden.model.problem import Problem, Problems
from anden.model.report import StatusReport

MOST_PATHS = 64


def urls(report: StatusReport, paths: Sequence[str]) -> tuple[str, ...]:
    """The addresses of `paths`, or else of every route that asks for no token. Raises Problems when there is none."""
    if report.gateway is None:
        raise Problems(Problem(f"{report.environment}", "has no gateway that could be asked", "", "Use --at-rate 0."))
    wrong = [path for path in paths if not path.startswith("/") or not path.isascii() or " " in path]
    if wrong or len(paths) > MOST_PATHS:
        why = f"at most {MOST_PATHS} paths, each with a / in front"
        raise Problems(
            Problem("--path", f"{(wrong or paths)[0]} is none that can be asked", why, "Say it as /accounts.")
        )
    if paths:
        return tuple(f"http://{report.gateway}{path}" for path in paths)
    found = tuple(each.url for each in report.services if each.url is not None and each.auth is None)
    if not found:
        what, why = "there is nothing to ask", "no service has a route that answers without a token"
        fix = "Say which with --path, or drill without a load of ours: --at-rate 0."
        raise Problems(Problem(report.environment, what, why, fix))
    return found[:MOST_PATHS]


def services(report: StatusReport, asked: Sequence[str]) -> tuple[str, ...]:
    """Whose routes these addresses are; addresses of nobody are left out."""
    routed = {each.name: urlsplit(each.url).path.rstrip("/") for each in report.services if each.url is not None}
    found = []
    for url in asked:
        path = urlsplit(url).path.rstrip("/")
        fitting = [name for name, route in routed.items() if path == route or path.startswith(route + "/")]
        if fitting:
            found.append(max(fitting, key=lambda name: len(routed[name])))
    return tuple(found)
