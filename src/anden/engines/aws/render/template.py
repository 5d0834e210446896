"""A CloudFormation template as plain values, and the stack that it makes. Nothing here knows anden's nouns.

A family's module returns a Part; `assemble` puts parts together into one Stack. What one stack needs of another travels
by an SSM parameter: the stack that makes a value *publishes* it, the one that uses it names it with `published`, which
becomes a template parameter with the SSM name as its default. CloudFormation resolves it when a change set is made, so
what was approved is pinned (docs/decisions/0018-stacks.md), and the templates deploy without anden as well.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypedDict

import msgspec

Json = Any
"""What JSON can hold; CloudFormation's functions are dicts of one key."""

Policy = Literal["Delete", "Retain", "RetainExceptOnCreate"]
Keep = bool | Literal["replaced"]


class Resource(TypedDict, total=False):
    """One resource of a template, in CloudFormation's own words."""

    Type: str
    Properties: dict[str, Json]
    DependsOn: list[str]
    DeletionPolicy: Policy
    UpdateReplacePolicy: Policy
    Metadata: dict[str, Json]


class Template(TypedDict):
    """A whole template, in CloudFormation's own words."""

    AWSTemplateFormatVersion: str
    Description: str
    Parameters: dict[str, Json]
    Resources: dict[str, Resource]
    Outputs: dict[str, Json]


class Published(Mapping[str, str]):
    """A `Ref` that knows which stack family publishes the value, and as what. No dict: what copies a template asks
    about what it does not know, and so `assemble` learns of it.

    family: the publishing stack's family. key: the value's name there. kind: CloudFormation's parameter type
    (`String`, `AWS::EC2::VPC::Id`, …).
    """

    __slots__ = ("family", "key", "kind", "name", "said")

    def __init__(self, family: str, key: str, kind: str) -> None:
        self.family, self.key, self.kind, self.name = family, key, kind, logical(family, key)
        self.said = {"Ref": self.name}

    def __getitem__(self, key: str) -> str:
        return self.said[key]

    __hash__ = object.__hash__  # no mapping has one; `_Uses` may know two that say the same

    def __iter__(self) -> Iterator[str]:
        yield "Ref"

    def __len__(self) -> int:
        return 1


MOST_WORDS = 4096
"""Words, and values published, that are remembered: each stands in many resources, or in many stacks."""
NOTHING: Mapping[str, Json] = MappingProxyType({})


class Part(NamedTuple):
    """What one family adds to a stack. publishes: key to the value that other stacks may use.
    parameters: template parameters whose values no stack publishes (rare: what only a person or an account knows)."""

    resources: Mapping[str, Resource]
    publishes: Mapping[str, Json] = NOTHING
    parameters: Mapping[str, Json] = NOTHING


@dataclass(frozen=True)
class Stack:
    """One stack to be.

    name: CloudFormation's (at most 128 characters). family: what published names begin with: `network`,
    `service-accounts`. after: families that publish what it uses; they come first, and go last. region: where.
    lasting: it holds what must outlive a mistake (addresses, keys, records): termination protection.
    text: the template as JSON, one property a line. resources: those of the template as JSON, by whom they are written
    already.
    """

    name: str
    family: str
    region: str
    template: Template
    after: tuple[str, ...] = ()
    lasting: bool = False
    text: str = field(init=False, compare=False, repr=False)
    resources: InitVar[bytes | None] = None

    def __post_init__(self, resources: bytes | None) -> None:
        written = self.template if resources is None else {**self.template, "Resources": msgspec.Raw(resources)}
        object.__setattr__(self, "text", text(written))

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The types of its resources: what has none of them need not be searched for it."""
        return frozenset([made["Type"] for made in self.template["Resources"].values()])


def assemble(
    *, name: str, family: str, region: str, description: str, space: str, parts: Iterable[Part], lasting: bool = False,
    after: Sequence[str] = (),
) -> Stack:  # fmt: skip
    """A stack of parts. space: the path that published names lie under (`/anden/banco-andino/production`). after: more
    families to come first than those whose values are used. Raises ValueError: two parts claim one logical name."""
    resources: dict[str, Resource] = {}
    parameters: dict[str, Json] = {}
    publishes: dict[str, Json] = {}
    for part in parts:
        for target, source in zip((resources, publishes, parameters), part, strict=True):
            if source:
                if not target.keys().isdisjoint(source):
                    twice = ", ".join(sorted(target.keys() & source.keys()))
                    raise ValueError(f"{name}: {twice} is claimed twice")
                target.update(source)
    uses = _Uses()
    for key, value in publishes.items():
        properties = {"Name": path(space, family, key), "Type": "String", "Value": value}
        resources[f"Publish{logical(key)}"] = resource("AWS::SSM::Parameter", **properties)
    # Each property of each resource comes by here: what writes them in C asks about what is published only.
    written = msgspec.json.encode(resources, enc_hook=uses.__getitem__)
    parameters.update([(value.name, _parameter(space, value)) for value in uses])
    families = {*after, *[value.family for value in uses]} - {family}
    template = Template(
        AWSTemplateFormatVersion="2010-09-09", Description=description, Parameters=dict(sorted(parameters.items())),
        Resources=resources, Outputs={},
    )  # fmt: skip
    return Stack(name, family, region, template, tuple(sorted(families)), lasting, resources=written)


@lru_cache(maxsize=MOST_WORDS)
def _parameter(space: str, value: Published) -> Mapping[str, Json]:
    return {"Type": f"AWS::SSM::Parameter::Value<{value.kind}>", "Default": path(space, value.family, value.key)}


class _Uses(dict[Published, Json]):
    """What is published and used, and what stands for it in a template. Asked once for each place where it stands,
    which is why it is a dict: only the first time comes by Python."""

    def __missing__(self, value: Published) -> Json:
        self[value] = said = _said(value)
        return said


def text(value: Json) -> str:
    """JSON, one property a line: what Python's `json` writes with `indent=1`, in C (docs/decisions/0023-json.md)."""
    return (msgspec.json.format(msgspec.json.encode(value, enc_hook=_said), indent=1) + b"\n").decode()


def _said(value: object) -> Json:
    """What stands in a template for a value of ours. Raises TypeError: nothing can."""
    if isinstance(value, Published):
        return value.said
    raise TypeError(f"{value!r} is nothing that JSON can hold")


def path(space: str, family: str, key: str) -> str:
    """The SSM name of a published value: `/anden/banco-andino/production/network/vpc`."""
    return f"{space}/{family}/{key}"


_APART = re.compile(r"[^A-Za-z0-9]")
_VANISHES = re.compile(r"[^A-Za-z0-9][0-9]")


@lru_cache(maxsize=MOST_WORDS)
def logical(*words: str) -> str:
    """A logical name of words: `logical("private", "a")` is `PrivateA`, `logical("core-api")` is `CoreApi`.

    Two texts never get the same one: where a hyphen would vanish before a digit, a few digits of a digest follow.
    Whoever joins several names that people chose into one adds them anyway (`apart`).
    """
    return _logical(words)


def _logical(words: Iterable[str]) -> str:
    joined = "".join(map(_joined, words))
    said = "-".join(words)
    return joined + _digits(said) if _VANISHES.search(said) else joined


@lru_cache(maxsize=MOST_WORDS)
def _joined(word: str) -> str:
    return "".join([part[:1].upper() + part[1:] for part in _APART.split(word)])


def apart(*words: str) -> str:
    """A logical name for a combination of names: readable, and never that of another combination."""
    # Not by what is remembered: there are as many combinations as there are rules, and each is asked for once.
    return _logical(words) + _digits("\n".join(words))


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).digest()[:3].hex()


def resource(
    kind: str, *, after: Sequence[str] = (), keep: Keep = False, metadata: Mapping[str, Json] | None = None,
    maybe: Mapping[str, Json] = NOTHING, **properties: Json,
) -> Resource:  # fmt: skip
    """A resource. after: DependsOn. keep: retained when the stack goes or replaces it, except where its creation was
    rolled back; `replaced`: only when it is replaced, for its stack is what is kept. maybe: more properties, without
    those that are None."""
    made: Resource = {"Type": kind}
    if after:
        made["DependsOn"] = list(after)
    if keep:
        made["DeletionPolicy"] = "RetainExceptOnCreate" if keep is True else "Delete"
        made["UpdateReplacePolicy"] = "Retain"
    if metadata:
        made["Metadata"] = dict(metadata)
    if maybe:
        properties.update({name: value for name, value in maybe.items() if value is not None})
    made["Properties"] = properties
    return made


def ref(name: str) -> dict[str, Json]:
    """`Ref` to a resource or parameter of the same template."""
    return {"Ref": name}


def att(name: str, attribute: str) -> dict[str, Json]:
    """`Fn::GetAtt` of a resource of the same template."""
    return {"Fn::GetAtt": [name, attribute]}


def sub(text: str, **values: Json) -> dict[str, Json]:
    """`Fn::Sub`: `${Name}` of `values`, of the template, or of AWS (`${AWS::Region}`)."""
    return {"Fn::Sub": [text, values] if values else text}


def tags(**words: str) -> list[dict[str, str]]:
    """Tags in the list form that most resources take; a value `Name=` names it for people."""
    return [{"Key": key, "Value": value} for key, value in words.items()]
