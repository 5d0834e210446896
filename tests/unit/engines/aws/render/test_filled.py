from anden.engines.aws.render.filled import asked, filled, lacking
from anden.engines.aws.render.template import Part, Published, Stack, assemble, ref, resource

PARAMETERS = {"Email": {"Type": "String"}, "Deploys": {"Type": "String", "Default": "environment:production"}}


def made() -> Stack:
    topic = resource("AWS::SNS::Topic", DisplayName=ref("Email"), TopicName=Published("account", "bucket", "String"))
    part = Part({"Topic": topic}, parameters=PARAMETERS)
    return assemble(
        name="anden-x", family="x", region="us-east-1", description="x", space="/anden/x", parts=[part]
    )  # fmt: skip


def test_a_value_becomes_the_default_and_the_digest_changes() -> None:
    stack = filled(made(), {"Email": "a@b.example", "Other": "is no parameter of it"})
    assert stack.template["Parameters"]["Email"] == {"Type": "String", "Default": "a@b.example"}
    assert set(stack.template["Parameters"]) == set(made().template["Parameters"])
    assert stack.text != made().text


def test_nothing_said_leaves_the_templates_own() -> None:
    assert filled(made(), {"Deploys": ""}) == made()


def test_what_nobody_has_said_is_lacking_and_what_a_stack_publishes_is_not() -> None:
    assert lacking(made()) == ("Email",)
    assert lacking(filled(made(), {"Email": "a@b.example"})) == ()
    assert set(asked(made())) == {"Email", "Deploys"}


def test_a_published_value_is_nobodys_to_give() -> None:
    assert filled(made(), {"AccountBucket": "mine"}) == made()
