"""`anden drill`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from anden import app
from anden.cli import place, standing, stream, terminal
from anden.cli.completion import services, zones
from anden.cli.main import CANCELLED, DONE, ERROR
from anden.cli.options import PLACE, Said, Words, common
from anden.cli.render import drill as render
from anden.cli.render import drill_svg, status
from anden.cli.render.paint import PLAIN
from anden.drill import kept, routes
from anden.drill.picture import Picture
from anden.load.schedule import FASTEST
from anden.model import codec
from anden.model.drill import Drill, DrillKind, DrillReport
from anden.model.fault import LONGEST_S, Outage
from anden.model.ids import EngineName
from anden.model.problem import Problem, Problems
from anden.model.report import StatusReport

SHORTEST_S = 0.5
LOG_S = 1.0
"""Between two lines where there is no terminal."""


@click.group("drill")
def command() -> None:
    """Break something on purpose under load, and show what becomes of it.

    A steady load asks the gateway a few seconds before, during and after the fault; what was hit is taken back
    afterwards, and ends by itself if this command dies. Ctrl-C ends the load and takes the fault back. The report
    goes to stdout, and as text, JSON and a picture into the client's state folder.

    Exit: 1 when a request failed after its one retry, or not everything serves as before.
    """


def drilling(function: Callable[..., int]) -> Callable[..., int]:
    """The options of every drill."""
    for option in reversed(
        (
            click.option(
                "--at-rate", "rate", type=click.FloatRange(0, FASTEST), default=100.0, show_default=True, metavar="N",
                help="Requests a second; 0: none of ours, and only instances are watched.",
            ),
            click.option(
                "--for", "for_s", type=click.FloatRange(SHORTEST_S, LONGEST_S), default=20.0, show_default=True,
                metavar="SECONDS", help="How long the fault lasts, or is watched.",
            ),
            click.option(
                "--path", "paths", multiple=True, metavar="/PATH",
                help="What is asked for, in turn; by default every route that needs no token.",
            ),
            click.option(
                "--report", "report", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
                help="Keep the report there as well.",
            ),
            common(*PLACE, "no_input", "yes"),
        )
    ):  # fmt: skip
        function = option(function)
    return click.pass_obj(function)


@command.command("zone")
@click.argument("name", metavar="ZONE", shell_complete=zones)
@click.option("--frozen", is_flag=True, help="The silent kind: everything in it stands still, and nothing is refused.")
@drilling
def zone(words_: Words, name: str, frozen: bool, **options: Any) -> int:
    """Fail ZONE (a, b, …): nothing passes in or out of it."""
    return run(words_.said, DrillKind.ZONE, name, Outage.FROZEN if frozen else Outage.CUT, **options)


@command.command("kill")
@click.argument("name", metavar="SERVICE", shell_complete=services)
@drilling
def kill(words_: Words, name: str, **options: Any) -> int:
    """Kill an instance of SERVICE, or the one that is named (accounts-2)."""
    return run(words_.said, DrillKind.KILL, name, Outage.CUT, **options)


@command.command("balancer")
@drilling
def balancer(words_: Words, **options: Any) -> int:
    """Kill one of the balancer's processes."""
    return run(words_.said, DrillKind.BALANCER, "", Outage.CUT, **options)


@command.command("supervisor")
@drilling
def supervisor(words_: Words, **options: Any) -> int:
    """Kill what looks after the instances."""
    return run(words_.said, DrillKind.SUPERVISOR, "", Outage.CUT, **options)


@command.command("control")
@drilling
def control(words_: Words, **options: Any) -> int:
    """Kill the control plane, leave it down for the time given, and start it again."""
    return run(words_.said, DrillKind.CONTROL, "", Outage.CUT, **options)


def run(
    said: Said, kind: DrillKind, name: str, outage: Outage, rate: float, for_s: float, paths: tuple[str, ...],
    report: Path | None,
) -> int:  # fmt: skip
    """Do it. Returns the exit code."""
    here = place.running(said)
    if here.engine is EngineName.AWS:
        why = "for now only the twin and the simulation can be drilled"
        raise Problems(Problem("--on aws", "is not drilled", why, "Leave --on out, or use --on simulated."))
    at = here.at(with_manifest=False)
    with app.connect(here.client, here.engine, start=False, seen=True) as api:
        now = codec.from_data(StatusReport, api.request("POST", "/v1/status", {"at": at}))
    at |= {"environment": now.environment}
    if not now.running:
        on = "" if here.engine is EngineName.LOCAL else f" --on {here.engine}"
        fix = f"Start it with `anden up -e {now.environment}{on}`."
        raise Problems(Problem(f"{now.client}/{now.environment}", "nothing runs", now.reason, fix))
    urls = routes.urls(now, paths) if rate else ()
    drill = Drill(kind, name, outage, for_s, rate, urls)
    if here.topology is None or here.topology.production:
        stream.confirm(render.question(drill, now), said)
    shown = Shown(status.label(now.client, now.environment, now.engine))
    try:
        found = app.drill(at, drill, routes.services(now, urls), shown)
    except KeyboardInterrupt:
        shown.end()
        return _cancelled(here, at)
    finally:
        shown.end()
    return _finish(said, found, app.drills(here.client, here.engine), report)


def _finish(said: Said, found: DrillReport, folder: Path, also: Path | None) -> int:
    """Print the report and keep it."""
    name = kept.stem(found.drill, found.at)
    if said.json:
        terminal.as_json(codec.to_data(found))
    else:
        terminal.data(render.lines(found, terminal.paint_for(terminal.stdout())))
    texts = {
        "txt": "\n".join(render.lines(found, PLAIN)) + "\n",
        "json": codec.to_json(found, indent=2) + "\n",
        "svg": drill_svg.picture(found),
    }
    for each in [folder, *([also] if also is not None else [])]:
        kept.keep(each, name, texts)
        terminal.progress().say(f"kept: {each}/{name}.{{txt,json,svg}}")
    return DONE if found.settled and not found.failed_after_retry else ERROR


def _cancelled(here: place.Place, at: dict[str, Any]) -> int:
    """Say what stands."""
    try:
        with app.connect(here.client, here.engine, start=False, seen=True) as api:
            now = codec.from_data(StatusReport, api.request("POST", "/v1/status", {"at": at}))
        left = ", ".join(f"zone {each.name} is still out" for each in now.faults) or "no fault is in"
        stands = f"{left}, {standing.sentence(now)}"
    except (Problems, KeyboardInterrupt):
        stands = "what stands could not be told"
    sys.stderr.write(f"cancelled; the load has ended, {stands}: anden status shows\n")
    return CANCELLED


class Shown:
    """Draws what it is told: on a terminal a few lines that change, elsewhere a line a second."""

    def __init__(self, heading: str) -> None:
        self._out = terminal.progress()
        self._screen = terminal.Screen(sys.stderr) if sys.stderr.isatty() else None
        self._heading = heading
        self._last: float | None = None

    def __call__(self, picture: Picture) -> None:
        """Show it."""
        if self._screen is not None:
            self._screen.draw(render.screen(picture, self._heading, self._out.paint))
        elif self._last is None or picture.at_s - self._last >= LOG_S - 1e-6:
            self._last = picture.at_s
            self._out.say(render.log(picture))

    def end(self) -> None:
        """What changed is gone; the report says more."""
        if self._screen is not None:
            self._screen.end()
            self._screen = None
