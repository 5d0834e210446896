"""Single values that are names and words: services, variables, secrets, users, domains, regions, choices."""

import re
import unicodedata
from collections.abc import Callable
from enum import StrEnum

from anden.manifest.faults import Wrong
from anden.manifest.node import Scalar
from anden.manifest.shape import Leaf
from anden.manifest.wording import listed, near, shown
from anden.model.link import PolicyName
from anden.model.topology import REHEARSAL, Egress, Protocol, Strategy

LONGEST_NAME = 40
"""Characters of a name: it is a DNS label (63 at most), with room for an ordinal and an engine's prefix."""
RESERVED = frozenset({"anden", "balancer", "gateway", "host", "internal", "internet", "localhost", "resolver"})
"""Names that mean something else in an environment already."""
YAML_WORDS = frozenset({"false", "no", "null", "off", "on", "true", "yes"})
"""Names that other readers of YAML take for something else."""

_NAME = re.compile(rf"[a-z](?:[a-z0-9-]{{0,{LONGEST_NAME - 2}}}[a-z0-9])?")
_NAME_JSON = {"type": "string", "pattern": f"^{_NAME.pattern}$"}


def normalised(text: str, prefix: str = "") -> str:
    """The name nearest to `text`: `My Bank_2` is `my-bank-2`, `Ñandú` is `nandu`. What would begin with a digit gets
    the prefix; empty when there is none, or when nothing of the text can stand in a name."""
    letters = unicodedata.normalize("NFKD", text[:1_000].lower())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if words[:1].isdigit():
        words = prefix + words if prefix else ""
    return words[:LONGEST_NAME].strip("-")


def is_name(text: str) -> bool:
    """Whether `text` can be the name of anything."""
    return _NAME.fullmatch(text) is not None


def _name(scalar: Scalar) -> str:
    if is_name(scalar.text):
        return scalar.text
    close = normalised(scalar.text) if len(scalar.text) <= LONGEST_NAME else ""
    raise Wrong(meant=close)


def _free_name(scalar: Scalar) -> str:
    name = _name(scalar)
    if name in RESERVED:
        raise Wrong(
            f"Choose another name, such as {name}-service.",
            what=f"{name} is a reserved name",
            why=f"{listed(sorted(RESERVED))} mean something else in an environment",
        )
    if name in YAML_WORDS:
        raise Wrong(
            f"Choose another name, such as {name}-service.",
            what=f"{name} is no name to other readers of YAML",
            why=f"they read {listed(sorted(YAML_WORDS))} as something else",
        )
    return name


_NAME_RULE = f"a name has 1 to {LONGEST_NAME} small letters, digits and dashes, and begins with a letter"
NAME = Leaf("a name", _NAME_RULE, "accounts", _name, _NAME_JSON)
FREE_NAME = Leaf(
    "a name",
    _NAME_RULE,
    "accounts",
    _free_name,
    {**_NAME_JSON, "not": {"type": "string", "enum": sorted(RESERVED | YAML_WORDS)}},
)


def text_of(
    noun: str, rule: str, example: str, pattern: str, secret: bool = False, guess: Callable[[str], str] = lambda _: ""
) -> Leaf:
    """A text that a pattern describes; `guess` makes a correct one of a wrong one, or nothing."""
    compiled = re.compile(pattern)

    def parse(scalar: Scalar) -> str:
        if compiled.fullmatch(scalar.text):
            return scalar.text
        raise Wrong(f"Use its name, such as {example}." if secret else "", meant=guess(scalar.text))

    return Leaf(noun, rule, example, parse, {"type": "string", "pattern": f"^(?:{pattern})$"}, secret)


VARIABLE = text_of(
    "the name of a variable",
    "variables have letters, digits and underscores, and begin with no digit",
    "LOG_LEVEL",
    r"[A-Za-z_][A-Za-z0-9_]{0,127}",
    guess=lambda text: re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_"),
)
SECRET_PLACE = text_of(
    "a place for a secret",
    "a secret is handed over as a variable, or as a file directly below /run/secrets",
    "CORE_TOKEN",
    r"[A-Za-z_][A-Za-z0-9_]{0,127}|/run/secrets/[A-Za-z0-9_][A-Za-z0-9._-]{0,127}",
    guess=lambda text: (
        f"/run/secrets/{text.rpartition('/')[2]}" if "/" in text else re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")
    ),
)
SECRET = text_of(
    "the name of a secret",
    "a secret stands in a manifest by its name, never by its value",
    "core-token",
    r"[A-Za-z][A-Za-z0-9._/-]{0,63}",
    secret=True,
)
CERTIFICATE_ARN = (
    r"arn:aws[a-zA-Z-]*:acm:(?P<region>[a-z]{2}(?:-gov|-isob?)?-[a-z]+-[0-9]):(?P<account>[0-9]{12})"
    r":certificate/[a-zA-Z0-9_-]+"
)
"""As `AWS::EC2::CustomerGateway` takes it (its schema's pattern)."""
CERTIFICATE = text_of(
    "a certificate",
    "a link's certificate is `rehearsal`, or the ARN of a certificate in ACM",
    REHEARSAL,
    re.sub(r"\?P<[a-z]+>", "?:", CERTIFICATE_ARN) + f"|{REHEARSAL}",
)
VALUE = Leaf(
    "the value of a variable",
    "a variable holds one text",
    'a text, or "" for an empty one',
    lambda scalar: scalar.text,
    {"type": ["string", "number", "boolean"]},
)
USER = text_of(
    "a user",
    "a user is a number, `UID:GID`, or a name in the image",
    "1000",
    r"[0-9]{1,9}(?::[0-9]{1,9})?|[a-z_][a-z0-9_-]{0,31}(?::[a-z_][a-z0-9_-]{0,31})?",
)
USER.json.update({"type": ["string", "integer"]})
DOMAIN_PATTERN = r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
DOMAIN = text_of(
    "a domain",
    "a domain is a full DNS name in small letters",
    "api.bank.example",
    DOMAIN_PATTERN,
    guess=lambda text: re.sub(r"^[a-z]+://|[/:].*$", "", text.strip().lower()).removesuffix("."),
)
ISSUER = text_of(
    "an issuer",
    "an issuer is the https address at which it publishes its keys",
    "https://id.bank.example",
    r"https://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?",
    guess=lambda text: re.sub(r"^(?:[a-z]+://)?", "https://", text.strip()),
)
AUDIENCE = text_of("an audience", "an audience is what tokens say in `aud`", "bank", r"[!-~]{1,255}")

SCOPE = text_of("a scope", "a scope is a word of OAuth's, without quotes", "payments:write", r"[!#-\[\]-~]{1,100}")


def _region(scalar: Scalar) -> str:
    if re.fullmatch(r"[a-z]{2}(?:-[a-z]{2,9}){1,2}-[1-9]", scalar.text):
        return scalar.text
    close = near(scalar.text, _REGIONS)
    raise Wrong(meant=close)


_REGIONS = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "mx-central-1", "sa-east-1"),
    *("eu-central-1", "eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1", "eu-south-1", "eu-south-2"),
    *("ap-south-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "ap-northeast-2", "af-south-1"),
)
"""For suggestions only; any region of AWS's shape is accepted."""
REGION = Leaf(
    "a region",
    "regions are named as AWS names them",
    "us-east-1",
    _region,
    {"type": "string", "pattern": "^[a-z]{2}(?:-[a-z]{2,9}){1,2}-[1-9]$"},
)


def _account(scalar: Scalar) -> str:
    digits = re.sub(r"[- ]", "", scalar.text)
    right = re.fullmatch(r"[0-9]{12}", digits) is not None
    if right and scalar.plain:
        raise Wrong(
            f'Use "{digits}".',
            what=f"{shown(scalar.text)} is a number here",
            why="accounts are text: as a number one loses its leading zeros",
        )
    if digits != scalar.text or not right:
        raise Wrong(f'Use "{digits}".' if right else "")
    return digits


ACCOUNT = Leaf(
    "an AWS account",
    "accounts have 12 digits, in quotes",
    '"111122223333"',
    _account,
    {"type": "string", "pattern": "^[0-9]{12}$"},
)


def _flag(scalar: Scalar) -> bool:
    if scalar.text in ("true", "false"):
        return scalar.text == "true"
    meant = {"yes": "true", "on": "true", "y": "true", "1": "true", "no": "false", "off": "false", "0": "false"}
    word = scalar.text.lower()
    close = word if word in ("true", "false") else meant.get(word)
    raise Wrong(meant=close)


FLAG = Leaf("a switch", "a switch is true or false", "true", _flag, {"type": "boolean"})


def choice(noun: str, kinds: type[StrEnum]) -> Leaf:
    """One of the words of an enumeration."""
    words = [str(each) for each in kinds]

    def parse(scalar: Scalar) -> StrEnum:
        if scalar.text in words:
            return kinds(scalar.text)
        close = near(scalar.text, words)
        raise Wrong(f"Use {listed(words, 'or')}.", meant=close)

    return Leaf(noun, f"{noun} is {listed(words, 'or')}", words[0], parse, {"enum": words})


EGRESS = choice("an egress", Egress)
PROTOCOL = choice("a protocol", Protocol)
STRATEGY = choice("a way to deploy", Strategy)
LINK_POLICY = choice("a policy of a link", PolicyName)
