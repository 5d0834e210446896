"""Overrides on rendered stacks. Pure. What the rest of anden relies on may not be overridden:

    the firewall                 `reaches` is the whole of it: the plan, `reach` and the proofs know of nothing else.
                                 Security groups, their rules, network ACLs, DNS firewall, and who is in which group
    what stacks say to another   parameters and what they publish: other stacks are made from it
    anden's own tags             they say whose a resource is
    what is kept                 addresses, keys and records must outlive a mistake

An operation that would change one of these is refused, by what it does and not by how it is written: each is applied to
a copy, and what is guarded is compared before and after.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import jsonpatch
import jsonpointer

from anden.engines.aws.render.template import Json, Stack, text
from anden.model.mark import Marks
from anden.model.override import Operation, Override, mark_of
from anden.model.problem import Problem, Problems
from anden.planning.blueprint import NO_MARKS
from anden.planning.places import at

ROOTS = ("Resources", "Conditions", "Mappings", "Outputs")
"""Parts of a template that operations may reach into."""
FIREWALL = frozenset(
    {
        *("AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"),
        *("AWS::EC2::NetworkAcl", "AWS::EC2::NetworkAclEntry", "AWS::EC2::SubnetNetworkAclAssociation"),
        *("AWS::Route53Resolver::FirewallDomainList", "AWS::Route53Resolver::FirewallRuleGroup"),
        "AWS::Route53Resolver::FirewallRuleGroupAssociation",
    }
)
MEMBERSHIP = frozenset({"SecurityGroups", "SecurityGroupIds", "VpcSecurityGroupIds", "GroupSet", "AssignPublicIp"})
"""Properties that say which groups something is in, or open it past them."""
KEPT = ("Retain", "RetainExceptOnCreate", "Snapshot")
OWN_TAGS = "anden:"
PUBLISHES = "Publish"

Key = tuple[str, str]
"""What is guarded and where: `("firewall", "GroupOfWeb")`."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """Why something is guarded. bound: it may not even go with the resource that it belongs to."""

    what: str
    why: str
    fix: str
    bound: bool = True


RULES: Mapping[str, _Rule] = {
    "firewall": _Rule(
        "it changes the firewall", "`reaches` is the whole of it, and nothing else is planned, shown or proved",
        "Declare it in `reaches` and `destinations`.",
    ),
    "membership": _Rule(
        "it changes who is in a security group", "a group is what one service may do and be asked",
        "Declare it in `reaches` and `destinations`.", bound=False,
    ),
    "published": _Rule(
        "it changes what stacks say to each other", "other stacks are made from it",
        "Override the resources, and leave parameters and what is published.",
    ),
    "tags": _Rule(
        "it changes anden's own tags", "they say whose a resource is", "Use other names for tags of yours.", bound=False
    ),
    "kept": _Rule(
        "it gives up what is kept", "addresses, keys and records must outlive a mistake",
        "Remove it by hand once the environment is down.",
    ),
}  # fmt: skip


def overridden(stacks: Sequence[Stack], overrides: Sequence[Override], marks: Marks = NO_MARKS) -> tuple[Stack, ...]:
    """The stacks with the overrides in them, all at once. See `overriding`."""
    return tuple(overriding(stacks, overrides, marks))


def overriding(stacks: Iterable[Stack], overrides: Sequence[Override], marks: Marks = NO_MARKS) -> Iterator[Stack]:
    """The stacks with the overrides in them, one by one. marks: where the operations were written.

    Raises Problems after the last one, with all of them: no such stack, a path that is not there, or what may not be
    overridden.
    """
    problems: dict[str, list[Problem]] = {override.stack: [] for override in overrides}
    families: list[str] = []
    for stack in stacks:
        families.append(stack.family)
        for override in overrides:
            if override.stack == stack.family:
                template = json.loads(text(stack.template))
                for index, operation in enumerate(override.operations):
                    where = f"override {override.stack} {operation.path}{at(marks, mark_of(override.stack, index))}"
                    template, problem = _applied(template, operation, where)
                    problems[override.stack] += [problem] if problem is not None else []
                stack = replace(stack, template=template)  # noqa: PLW2901 - the same stack, overridden
        yield stack
    for override in overrides:
        if override.stack not in families:
            problems[override.stack] += _no_stack(override, families, marks)
    found = [problem for each in problems.values() for problem in each]
    if found:
        raise Problems(found)


def _no_stack(override: Override, families: Sequence[str], marks: Marks) -> Iterator[Problem]:
    close = get_close_matches(override.stack, families, n=1)
    where = f"override {override.stack}{at(marks, mark_of(override.stack, 0))}"
    fix = f"Did you mean {close[0]}?" if close else "Choose one of these."
    yield Problem(where, "there is no such stack", ", ".join(families), fix)


def _applied(template: Any, operation: Operation, where: str) -> tuple[Any, Problem | None]:
    """The template with the operation done; as it was, with the problem, when it cannot or may not be."""
    outside = next((each for each in (operation.path, operation.origin) if each and not _inside(each)), None)
    if outside is not None:
        why = f"operations reach into {', '.join(ROOTS)}; the rest is what makes a stack anden's"
        return template, Problem(where, f"{outside} may not be overridden", why, "Use /Resources/NAME/….")
    try:
        done = jsonpatch.apply_patch(template, [_as_json(operation)])
    except jsonpatch.JsonPatchTestFailed:
        why = "the test in the override says so, and nothing after it may be taken for granted"
        return template, Problem(where, "it is not what the override expects", why, "Look at what is rendered now.")
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        why = " ".join(str(error).split())
        return template, Problem(
            where, f"{operation.op} cannot be done here", why, "`anden render` shows the template."
        )
    refused = _refused(template, done)
    if refused is None and (wrong := _shapeless(done)) is not None:
        return template, Problem(where, f"it leaves {wrong} no resource", "a resource has a Type", "Add it whole.")
    if refused is None:
        return done, None
    rule, names = RULES[refused[0]], ", ".join(sorted(refused[1]))
    return template, Problem(where, f"{rule.what} ({names})", rule.why, rule.fix)


def _inside(pointer: str) -> bool:
    root, _, rest = pointer.removeprefix("/").partition("/")
    return root in ROOTS and bool(rest)


def _as_json(operation: Operation) -> dict[str, Json]:
    made: dict[str, Json] = {"op": operation.op, "path": operation.path}
    if operation.value is not None:
        made["value"] = json.loads(operation.value)
    if operation.origin is not None:
        made["from"] = operation.origin
    return made


def _shapeless(template: Any) -> str | None:
    """A resource that is none any more."""
    for name, made in template["Resources"].items():
        if not isinstance(made, dict) or not isinstance(made.get("Type"), str):
            return str(name)
    return None


def _refused(before: Any, after: Any) -> tuple[str, set[str]] | None:
    """The first rule that what was done breaks, and the names of the resources."""
    was, is_ = dict(_guarded(before)), dict(_guarded(after))
    broken: dict[str, set[str]] = {}
    for key in was.keys() | is_.keys():
        if was.get(key) == is_.get(key):
            continue
        kind, place = key
        name = place.partition("/")[0]
        if key not in is_ and not RULES[kind].bound and name not in after["Resources"]:
            continue  # it went with all of its resource
        broken.setdefault(kind, set()).add(name)
    return next(((kind, broken[kind]) for kind in RULES if kind in broken), None)


def _guarded(template: Any) -> Iterator[tuple[Key, str]]:
    yield ("published", "Parameters"), _text(template.get("Parameters"))
    for name, made in template["Resources"].items():
        if not isinstance(made, dict):
            continue
        properties = made.get("Properties")
        if made.get("Type") in FIREWALL:
            yield ("firewall", name), _text(made)
        elif made.get("Type") == "AWS::SSM::Parameter" and name.startswith(PUBLISHES):
            yield ("published", name), _text(made)
        for path, value in _members(properties, name):
            yield ("membership", path), _text(value)
        own = _own_tags(properties)
        if own:
            yield ("tags", name), _text(own)
        for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
            if made.get(policy) in KEPT:
                yield ("kept", f"{name}/{policy}"), "kept"


def _members(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every property within `value` that says which groups something is in, with its path."""
    if isinstance(value, dict):
        for name, child in value.items():
            if name in MEMBERSHIP:
                yield f"{path}/{name}", child
            else:
                yield from _members(child, f"{path}/{name}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _members(child, f"{path}/{index}")


def _own_tags(properties: Any) -> list[Any]:
    given = properties.get("Tags") if isinstance(properties, dict) else None
    if isinstance(given, dict):
        return sorted([name, value] for name, value in given.items() if name.startswith(OWN_TAGS))
    if isinstance(given, list):
        tags = [each for each in given if isinstance(each, dict) and str(each.get("Key", "")).startswith(OWN_TAGS)]
        return sorted(tags, key=_text)
    return []


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
