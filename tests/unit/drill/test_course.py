"""Whole drills in virtual time: what they do to an environment, what they say, and that they leave it as it was."""

import pytest
from tests.unit.cli.kept import same
from tests.unit.drill.ground import KEY, Place

from anden.cli.render import drill as render
from anden.cli.render import drill_svg
from anden.cli.render.paint import PLAIN, Paint, width
from anden.drill import course
from anden.drill.picture import Picture
from anden.engines.simulated.behaviour import BROKEN, Behaviour
from anden.model import codec
from anden.model.drill import Drill, DrillKind, DrillReport, PhaseName
from anden.model.fault import Fault, FaultKind, Outage
from anden.model.problem import Problems

CASES = {
    "zone-b": Drill(DrillKind.ZONE, "b", for_s=12.0),
    "zone-b-frozen": Drill(DrillKind.ZONE, "b", Outage.FROZEN, for_s=12.0),
    "kill-accounts": Drill(DrillKind.KILL, "accounts", for_s=4.0),
    "balancer": Drill(DrillKind.BALANCER, for_s=4.0),
    "supervisor": Drill(DrillKind.SUPERVISOR, for_s=4.0),
    "control": Drill(DrillKind.CONTROL, for_s=4.0),
    "zone-b-watched": Drill(DrillKind.ZONE, "b", for_s=4.0, rate=0.0),
}


def of(place: Place, drill: Drill) -> Drill:
    """The same on all of the place's routes."""
    urls = place.urls if drill.rate else ()
    return Drill(drill.kind, drill.name, drill.outage, drill.for_s, drill.rate, urls)


@pytest.mark.parametrize("name", sorted(CASES))
def test_text_json_and_picture(place: Place, name: str) -> None:
    drilled = place.drill(of(place, CASES[name]))
    same(f"drill/{name}.txt", render.lines(drilled, PLAIN))
    same(f"drill/{name}.svg", drill_svg.picture(drilled).splitlines())
    if name == "zone-b":
        same("drill/zone-b.json", codec.to_json(drilled, indent=2).splitlines())
    assert codec.from_json(DrillReport, codec.to_json(drilled)) == drilled


@pytest.mark.parametrize("name", sorted(CASES))
def test_everything_is_as_before(place: Place, name: str) -> None:
    before = place.status()
    drilled = place.drill(of(place, CASES[name]))
    after = place.status()
    assert drilled.settled, drilled.settled_why
    assert drilled.failed_after_retry == 0
    assert after.blueprint == before.blueprint
    assert after.faults == ()
    assert [(each.healthy, each.level) for each in after.services] == [
        (each.healthy, each.level) for each in before.services
    ]
    assert len(after.processes) == len(before.processes)


def test_the_command_is_on_the_record(place: Place) -> None:
    place.drill(of(place, CASES["zone-b"]))
    place.drill(of(place, CASES["control"]))
    commands = place.sessions[-1].request("POST", "/v1/commands", {"at": place.at, "most": 10})
    assert [(each["what"], each["outcome"]) for each in reversed(commands)][1:] == [
        ("drill zone b, 12 s", "done"), ("drill restore", "done"), ("drill control, 4 s", "interrupted"),
    ]  # fmt: skip


def test_pictures_go_through_the_phases_in_order(place: Place) -> None:
    shown: list[Picture] = []
    place.drill(of(place, CASES["zone-b"]), shown.append)
    phases = [each.phase for each in shown]
    assert phases == sorted(phases, key=list(PhaseName).index)
    assert set(phases) == set(PhaseName)
    assert [each.at_s for each in shown] == sorted(each.at_s for each in shown)
    assert shown[-1].sent >= 1500
    middle = next(each for each in shown if each.at_s >= 8.0)
    same("drill/screen.txt", render.screen(middle, "bank/production, simulated", PLAIN))
    same("drill/log.txt", [render.log(each) for each in shown[::10]])
    coloured = render.screen(middle, "bank/production, simulated", Paint(colour=True))
    assert [width(line) for line in coloured] == [
        len(line) for line in render.screen(middle, "bank/production, simulated", PLAIN)
    ]


def test_the_screen_says_when_nobody_can_see(place: Place) -> None:
    shown: list[Picture] = []
    place.drill(of(place, CASES["control"]), shown.append)
    blind = next(each for each in shown if each.blind and each.phase is PhaseName.FAULT)
    assert "as last seen: the control plane says nothing" in render.screen(blind, "x", PLAIN)[-1]


def test_what_does_not_serve_is_not_drilled(place: Place) -> None:
    session = place.sessions[-1]
    list(session.stream("POST", "/v1/deploy", {"at": place.at, "service": "ledger", "image": "ledger:broken"}))
    place.engine.disturb(KEY, _kill("ledger-1"))
    place.engine._kept.worlds[str(KEY)].residents["ledger-1"].behaviour = _broken()
    with pytest.raises(Problems, match="ledger 1/2"):
        place.drill(of(place, CASES["zone-b"]))
    assert place.status().faults == ()


def _kill(name: str) -> Fault:
    return Fault(FaultKind.INSTANCE, name)


def _broken() -> Behaviour:
    return BROKEN


def test_a_fault_that_is_refused_leaves_nothing(place: Place) -> None:
    with pytest.raises(Problems, match="its zones are a, b, c"):
        place.drill(Drill(DrillKind.ZONE, "d", for_s=4.0, urls=place.urls))
    assert place.status().faults == ()


def test_ctrl_c_in_the_middle_takes_the_fault_back(place: Place) -> None:
    def told(picture: Picture) -> None:
        if picture.phase is PhaseName.FAULT and picture.at_s > 6:
            assert place.status().faults
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.drill(of(place, CASES["zone-b"]), told)
    assert place.status().faults == ()


def test_ctrl_c_while_the_control_plane_is_down_starts_it_again(place: Place) -> None:
    def told(picture: Picture) -> None:
        if picture.phase is PhaseName.FAULT and picture.at_s > 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        place.drill(of(place, CASES["control"]), told)
    assert place.status().running


def test_what_never_settles_gets_rid_of_the_load_and_is_said_after_the_bound(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(course, "SETTLE_LIMIT_S", 5.0)
    monkeypatch.setattr(course, "LOADED_LIMIT_S", 3.0)

    def told(picture: Picture) -> None:
        if picture.phase is PhaseName.FAULT:
            resident = place.engine._kept.worlds[str(KEY)].residents["accounts-1"]
            resident.behaviour = _broken()

    drilled = place.drill(of(place, CASES["kill-accounts"]), told)
    assert not drilled.settled
    assert drilled.settled_why == "accounts 1/2, 5 s later"
    assert drilled.unloaded_after_s is not None
    assert 3.0 <= drilled.unloaded_after_s < 3.5
    assert [beat.sent for beat in drilled.timeline][-3:] == [0, 0, 0]
    assert drilled.recover_s is None
    assert drilled.recover_why
    same("drill/unsettled.txt", render.lines(drilled, PLAIN))
