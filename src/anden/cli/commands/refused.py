"""`anden refused`."""

import re
import time
from typing import Any

import click

from anden import app
from anden.cli import place, terminal
from anden.cli.main import DONE
from anden.cli.options import PLACE, Words, common
from anden.cli.render import refused as render
from anden.model import codec
from anden.model.ids import EngineName
from anden.model.refused import RefusedReport

AGAIN_S, AGAIN_ON_AWS_S = 1.0, 20.0
"""Between two looks with --follow; on AWS a line comes once a minute, and a look reads a log."""
_SPAN = re.compile(r"(\d+)\s*([smhd]?)")
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


@click.command("refused")
@click.option("--since", metavar="TIME", help="Only what was tried within this time: 90s, 10m, 2h.")
@click.option("-f", "--follow", is_flag=True, help="Go on: show again what is tried again.")
@common(*PLACE)
@click.pass_obj
def command(words: Words, since: str | None, follow: bool) -> int:
    """What services tried and were refused: addresses and ports that are not declared, and names that they may not ask.

    By service and by what it tried to open, with how often, when first and when last, and what would open it.
    """
    here = place.running(words.said)
    body: dict[str, Any] = {"at": here.at(), "since_s": None if since is None else _span(since)}
    paint = terminal.paint_for(terminal.stdout())
    with app.connect(here.client, here.engine, start=False, seen=True) as api:
        before: RefusedReport | None = None
        try:
            while True:
                report = codec.from_data(RefusedReport, api.request("POST", "/v1/refused", body))
                new = render.fresh(before, report)
                if words.said.json and follow:
                    for row in new.rows:
                        terminal.json_line(codec.to_data(row))
                elif words.said.json:
                    terminal.as_json(codec.to_data(report))
                elif before is None or new.rows:
                    terminal.data(render.lines(new, paint, heading=before is None))
                if not follow:
                    return DONE
                before = report
                time.sleep(AGAIN_ON_AWS_S if here.engine is EngineName.AWS else AGAIN_S)
        except KeyboardInterrupt:
            return DONE  # the way to end -f; nothing was changed


def _span(text: str) -> float:
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise click.UsageError(f"{text} is not a time: write 90s, 10m, 2h or 1d.")
    return float(int(found[1]) * _UNITS_S[found[2]])
