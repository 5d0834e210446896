"""What can be prepared before a rollout begins, and what an approval is of."""

from anden.model.approval import SavedPlan
from anden.model.ids import Digest, EngineName, EnvironmentKey
from anden.model.plan import Action, ApplyStack, DeleteStack, Step
from anden.model.stack import StackWanted
from anden.planning.approval import mismatch, preparable

KEY = EnvironmentKey("banco", "production", EngineName.AWS)
B7E1, C03F = Digest("sha256:b7e1" + "0" * 60), Digest("sha256:c03f" + "0" * 60)


def applying(family: str, *after: str, template: str = "1") -> Step:
    stack = StackWanted(f"anden-{family}", family, "us-east-1", template, after)
    return Step(Action.UPDATE, family, "", ApplyStack(stack, B7E1))


def families(*steps: Step) -> tuple[list[str], list[str]]:
    ready, later = preparable(steps)
    return [each.stack.family for each in ready], list(later)


def test_what_uses_nothing_that_changes_before_it_is_prepared() -> None:
    assert families(applying("edge", "network"), applying("service-a", "rules", "edge")) == (["edge"], ["service-a"])
    assert families(applying("service-a", "edge"), applying("service-b", "edge")) == (["service-a", "service-b"], [])


def test_what_is_used_by_way_of_another_counts_too() -> None:
    steps = (applying("network"), applying("edge", "network"), applying("service-a", "edge"))
    assert families(*steps) == (["network"], ["edge", "service-a"])


def test_only_the_first_change_of_a_stack_can_be_prepared() -> None:
    wide, narrow = applying("rules", "network", template="wide"), applying("rules", "network", template="narrow")
    ready, later = preparable((wide, applying("service-a", "rules"), narrow))
    assert [each.stack.template for each in ready] == ["wide"]
    assert list(later) == ["service-a"]
    assert preparable((Step(Action.DELETE, "x", "", DeleteStack("anden-x", "x", "us-east-1")),)) == ((), {})


def test_an_approval_is_of_one_environment_and_one_blueprint() -> None:
    saved = SavedPlan("banco", "production", "aws", B7E1)
    assert mismatch(saved, KEY, B7E1) is None
    other = EnvironmentKey("banco", "certification", EngineName.AWS)
    assert [str(mismatch(saved, KEY, C03F)), str(mismatch(saved, other, B7E1))] == [
        "the approved plan: it is of blueprint b7e1, and the manifest gives c03f now; the manifest, an image, or what"
        " runs there has changed since it was approved. Plan again, and have it approved.",
        "the approved plan: it is of banco/production, aws; a plan is approved for one environment on one engine."
        " Save one of banco/certification, aws: `anden plan --save FILE`.",
    ]
