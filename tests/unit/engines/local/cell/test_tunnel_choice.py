"""Which tunnel carries where BGP is spoken, as far as it is decided without a daemon; `tests/live` has the rest."""

from dataclasses import replace
from pathlib import Path

from tests.unit.planning.devices.agreed import CORE, agreed

from anden.engines.local.cell.charon import Charon
from anden.engines.local.cell.tunnel import Link


def link(bgp: int | None, nowhere: Path) -> tuple[Link, list[int | None]]:
    moved: list[int | None] = []
    daemons = [Charon(nowhere / str(number)) for number in (1, 2)]
    return Link(agreed(replace(CORE, bgp=bgp)), daemons, str, moved.append), moved


def test_a_route_that_an_earlier_watch_left_goes_when_no_tunnel_may_carry(tmp_path: Path) -> None:
    kept, moved = link(65010, tmp_path)
    kept.hear(1, carries=False)
    assert moved == []  # nobody knows yet of the other one, and the route may lead there
    kept.hear(2, carries=False)
    kept.hear(1, carries=False)
    assert moved == [None]


def test_what_bgp_says_of_a_tunnel_that_is_down_moves_nothing(tmp_path: Path) -> None:
    kept, moved = link(65010, tmp_path)
    kept.hear(1, carries=True)
    kept.hear(2, carries=False)
    assert (kept.by, moved) == (None, [])
