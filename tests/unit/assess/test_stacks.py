"""What is said of stacks that are not as they should be. The texts are what a person reads."""

from pathlib import Path

from anden.assess.stacks import assess
from anden.cli.render.paint import Paint
from anden.cli.render.status import finding_lines
from anden.model.ids import Digest, EngineName, EnvironmentKey
from anden.model.observation import Observation
from anden.model.stack import StackSeen, StackState, StackWanted

KEY = EnvironmentKey("banco", "dev", EngineName.AWS)
GOLDEN = Path(__file__).parent / "stacks.txt"
WANTED = tuple(StackWanted(f"anden-banco-dev-{each}", each, "us-east-1", each) for each in ("network", "rules", "edge"))


def seen(family: str, state: StackState = StackState.SETTLED, template: str | None = None, **more: object) -> StackSeen:
    digest = next((each.digest for each in WANTED if each.family == family), None)
    stands = digest if template is None else Digest(template) if template else None
    blueprint = Digest("blueprint") if stands else None
    name = f"anden-banco-dev-{family}"
    return StackSeen(name, family, "us-east-1", state, stands, blueprint, **more)  # type: ignore[arg-type]


def observed(**other: StackSeen | None) -> Observation:
    stacks = {each.family: seen(each.family) for each in WANTED} | other
    there = tuple(one for one in stacks.values() if one is not None)
    return Observation(KEY, 1_000.0, present=True, stacks=there)


WHY = "WebToApiOut: the maximum number of rules per security group has been reached\nWebToApiIn: cancelled"
CASES = {
    "deleted by hand": observed(rules=None),
    "an update that was rolled back": observed(rules=seen("rules", StackState.FAILED, "older", why=WHY)),
    "a creation that was rolled back": observed(rules=seen("rules", StackState.FAILED, "", why=WHY)),
    "stuck": observed(rules=seen("rules", StackState.STUCK, "older", why=WHY)),
    "somebody else is at it": observed(rules=seen("rules", StackState.WORKING)),
    "another template": observed(rules=seen("rules", template="older")),
    "changed by hand": observed(network=seen("network", drifted=("RouteA", "RouteB", "VpcDns", "NatA", "NatB"))),
    "not needed": observed(other=seen("service-old", template="its own")),
    "not ours": observed(other=seen("theirs")),
}


def test_each_trouble_is_said_as_it_was_agreed() -> None:
    said = []
    for name, observation in CASES.items():
        said.append(f"# {name}")
        for finding in assess(WANTED, observation, changing=False):
            said += finding_lines(finding, Paint())
        said.append("")
    assert "\n".join(said) == GOLDEN.read_text()


def test_nothing_is_said_of_stacks_that_are_as_they_should_be_or_stand_so_after_a_failure() -> None:
    assert assess(WANTED, observed(), changing=False) == ()
    assert assess(WANTED, observed(rules=seen("rules", StackState.FAILED)), changing=False) == ()


def test_while_a_change_is_in_flight_only_what_has_failed_is_said() -> None:
    for name, observation in CASES.items():
        said = assess(WANTED, observation, changing=True)
        assert bool(said) is (
            name in ("an update that was rolled back", "a creation that was rolled back", "stuck", "changed by hand")
        ), name


def test_of_an_environment_that_is_not_there_its_stacks_are_not_said_one_by_one() -> None:
    assert assess(WANTED, Observation(KEY, 1.0, present=False), changing=False) == ()
