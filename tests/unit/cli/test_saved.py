"""A plan in a file, and how it is shown to whoever approves it."""

from pathlib import Path

import pytest

from anden.cli import saved
from anden.cli.render import approval
from anden.cli.render.paint import Paint
from anden.model.approval import Effect, Prepared, SavedPlan
from anden.model.ids import Digest
from anden.model.problem import Problems

B7E1 = Digest("sha256:b7e1" + "0" * 60)
ID = "arn:aws:cloudformation:us-east-1:1:changeSet/anden-b7e1-0123/uuid"
EFFECTS = (
    Effect("Modify", "Task", "AWS::ECS::TaskDefinition", "True", ("ContainerDefinitions",)),
    Effect("Add", "Slow", "AWS::CloudWatch::Alarm"),
    Effect("Import", "Repository", "AWS::ECR::Repository"),
    Effect("Modify", "Service", "AWS::ECS::Service", "Conditional", ("TaskDefinition (Task)",)),
)
PLAN = SavedPlan(
    "banco", "production", "aws", B7E1,
    (Prepared("anden-banco-production-service-web", "service-web", "us-east-1", B7E1, ID, EFFECTS),),
    {"service-api": B7E1},
)  # fmt: skip


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    saved.write(tmp_path / "plan.json", PLAN)
    assert saved.read(tmp_path / "plan.json") == PLAN


def test_what_is_no_plan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("{}")
    with pytest.raises(Problems, match="it is not a saved plan"):
        saved.read(tmp_path / "other")
    with pytest.raises(Problems, match="the plan cannot be read"):
        saved.read(tmp_path / "nowhere")
    with pytest.raises(Problems, match="the plan cannot be saved"):
        saved.write(tmp_path / "nowhere" / "plan", PLAN)


def test_every_resource_is_shown() -> None:
    paint = Paint()
    assert approval.lines(PLAN, paint) == [
        "anden-banco-production-service-web  anden-b7e1-0123",
        "  ~ Task (ECS::TaskDefinition): replaced, ContainerDefinitions",
        "  + Slow (CloudWatch::Alarm)",
        "  + Repository (ECR::Repository): taken up as it is",
        "  ~ Service (ECS::Service): perhaps replaced, TaskDefinition (Task)",
        "… later     service-api: they use what these make, and are approved by their templates",
    ]
    assert approval.saved(PLAN, "p.json") == "saved 1 change set in p.json; `anden up --plan p.json` does exactly this"
