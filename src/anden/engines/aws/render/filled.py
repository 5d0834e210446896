"""Values for a template's parameters, as its defaults: the template then says everything, and its digest as well.

Parameters that read a published value (`AWS::SSM::Parameter::Value<…>`) are CloudFormation's to fill.
"""

from collections.abc import Mapping
from dataclasses import replace

from anden.engines.aws.render.template import Json, Stack, Template

READ = "AWS::SSM::"


def filled(stack: Stack, values: Mapping[str, str]) -> Stack:
    """The stack with these values where it has parameters of these names. Empty ones say nothing."""
    parameters: dict[str, Json] = {
        name: {**each, "Default": values[name]} if values.get(name) and not _reads(each) else each
        for name, each in stack.template["Parameters"].items()
    }
    template: Template = {**stack.template, "Parameters": parameters}
    return replace(stack, template=template)


def lacking(stack: Stack) -> tuple[str, ...]:
    """Parameters that nobody has given a value."""
    return tuple(
        name
        for name, each in stack.template["Parameters"].items()
        if not _reads(each) and each.get("Default") in (None, "")
    )


def asked(stack: Stack) -> tuple[str, ...]:
    """Parameters that a person gives, or has given."""
    return tuple(name for name, each in stack.template["Parameters"].items() if not _reads(each))


def _reads(parameter: Json) -> bool:
    return str(parameter["Type"]).startswith(READ)
