"""The stacks as files, for whoever deploys them by a pipeline of their own: a template for each, in the order in which
they are made, and that order, for machines (`order.json`) and for people (`README.md`). Pure.

A file is named after its family (`network.json`, `service-accounts.json`) and not after its place in the order, so that
a service more renames nothing.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from anden.engines.aws.render import template
from anden.engines.aws.render.template import Json, Stack, Template
from anden.model.blueprint import Blueprint
from anden.model.ids import Digest

ORDER, README = "order.json", "README.md"
INLINE_BYTES = 51_200
"""A larger template has to come from S3 (CloudFormation user guide, "Quotas": template body size in a request)."""
NAMED_IAM, IAM = "CAPABILITY_NAMED_IAM", "CAPABILITY_IAM"
IAM_KIND = "AWS::IAM::"
NAMES = frozenset({"RoleName", "PolicyName", "ManagedPolicyName", "UserName", "GroupName", "InstanceProfileName"})
"""Properties by which an IAM resource gets a name of our own (CloudFormation user guide, "CAPABILITY_NAMED_IAM")."""
INLINE_POLICIES = ("AWS::IAM::Policy", "AWS::IAM::RolePolicy")
"""Their PolicyName names no resource of the account's."""


class Entry(NamedTuple):
    """What the order says of one stack, when its template is a file already."""

    file: str
    name: str
    family: str
    region: str
    after: tuple[str, ...]
    capabilities: tuple[str, ...]
    lasting: bool
    resources: int
    large: bool


Ordered = TypeVar("Ordered", Stack, Entry)


def files(blueprint: Blueprint, stacks: Iterable[Stack]) -> dict[str, str]:
    """File name to text, in the order of `stacks`, with `order.json` and `README.md` at the end. Each stack is let go
    when its text is there: of hundreds, the texts are the smaller part."""
    found: dict[str, str] = {}
    entries: list[Entry] = []
    for stack in stacks:
        text = stack.text
        entry = _entry(stack, len(text) if text.isascii() else len(text.encode()))
        found[entry.file] = text
        entries.append(entry)
    digest = blueprint.digest
    steps = waves(entries)
    found[ORDER] = template.text(_order(blueprint, digest, steps))
    found[README] = _readme(blueprint, digest, steps)
    return found


def _entry(stack: Stack, size: int) -> Entry:
    """size: of the text, in bytes."""
    return Entry(
        file=f"{stack.family}.json", name=stack.name, family=stack.family, region=stack.region, after=stack.after,
        capabilities=capabilities(stack.template), lasting=stack.lasting, resources=len(stack.template["Resources"]),
        large=size > INLINE_BYTES,
    )  # fmt: skip


def capabilities(template: Template) -> tuple[str, ...]:
    """What CloudFormation wants to be told before it makes this: that there are roles in it, and named ones."""
    iam = [each for each in template["Resources"].values() if IAM_KIND in each["Type"]]
    if not iam:
        return ()
    named = any(not NAMES.isdisjoint(each["Properties"]) for each in iam if each["Type"] not in INLINE_POLICIES)
    return (NAMED_IAM if named else IAM,)


def waves(stacks: Sequence[Ordered]) -> tuple[tuple[Ordered, ...], ...]:
    """The stacks in groups: those of a group need only what is in groups before it, and may be made at once."""
    known = {stack.family for stack in stacks}
    wave: dict[str, int] = {}
    found: dict[int, list[Ordered]] = {}
    for stack in stacks:
        needed = [wave[family] for family in stack.after if family in known]
        number = wave[stack.family] = max(needed, default=-1) + 1
        found.setdefault(number, []).append(stack)
    return tuple(tuple(found[number]) for number in sorted(found))


def stack_tags(blueprint: Blueprint) -> dict[str, str]:
    """The tags that every stack of an environment has. None of them changes with the blueprint: CloudFormation hands a
    stack's tags on to all that is in it, and would change everything for a change of one service
    (docs/decisions/0018-stacks.md). Which blueprint a folder is of, `order.json` and `README.md` say."""
    return {"anden:client": blueprint.topology.client, "anden:environment": blueprint.topology.environment}


def _order(blueprint: Blueprint, digest: Digest, steps: Sequence[Sequence[Entry]]) -> dict[str, Json]:
    topology = blueprint.topology
    return {
        "client": topology.client,
        "environment": topology.environment,
        "account": topology.account,
        "blueprint": digest,
        "tags": stack_tags(blueprint),
        "stacks": [
            {
                "file": entry.file,
                "stack": entry.name,
                "region": entry.region,
                "wave": number,
                "after": list(entry.after),
                "capabilities": list(entry.capabilities),
                "termination_protection": entry.lasting,
                "by_s3": entry.large,
            }
            for number, wave in enumerate(steps, start=1)
            for entry in wave
        ],
        "images": {
            service: {"name": image.name, "repository": _repository(blueprint, service), "digest": image.digest}
            for service, image in sorted(blueprint.images.items())
        },
    }


def _repository(blueprint: Blueprint, service: str) -> str:
    topology = blueprint.topology
    return f"{topology.client}/{topology.environment}/{service}"


def _readme(blueprint: Blueprint, digest: Digest, steps: Sequence[Sequence[Entry]]) -> str:
    topology = blueprint.topology
    where = f" in account {topology.account}" if topology.account else ""
    lines = [
        f"# {topology.client}/{topology.environment} on AWS",
        "",
        f"CloudFormation of blueprint {digest},",
        f"written by `anden render --on aws`. Deploy it{where} with a pipeline of your own, or let `anden up --on aws`",
        "do it. What is changed here by hand is lost at the next `anden render`; change the manifest.",
        "",
        "Stacks of one step need each other in no way and may be made at once; a step begins when the one before is",
        "done. They go in the opposite order. `order.json` says the same to machines.",
        "",
        "The stacks of the key and of fixed addresses are there for longer than the environment: leave them when it",
        "goes, and the next one uses them. Who deletes one gives up what it holds: an address at once, the key in",
        "30 days.",
        "",
    ]
    for number, wave in enumerate(steps, start=1):
        lines.append(f"## Step {number}")
        lines.append("")
        for entry in wave:
            kept = ", with termination protection" if entry.lasting else ""
            lines.append(f"- `{entry.file}`: `{entry.name}`, {entry.region}, {entry.resources} resources{kept}")
        lines.append("")
    named = " ".join(f"{name}={value}" for name, value in stack_tags(blueprint).items())
    lines += [
        "## One stack",
        "",
        "```",
        "aws cloudformation deploy --region REGION --stack-name STACK --template-file FILE \\",
        "  --capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset \\",
        f"  --tags {named}",
        "```",
        "",
        "Values travel between stacks by SSM parameters (`AWS::SSM::Parameter`), which each template names in its",
        f"`Parameters`: nothing is passed by hand. A template larger than {INLINE_BYTES:,} bytes (`by_s3` there)",
        "needs `--s3-bucket`. The images must be in the account's ECR before the stacks of their services:",
        "`order.json` names repository and digest of each.",
        "",
    ]
    return "\n".join(lines)
