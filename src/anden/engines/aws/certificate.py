"""The certificates that a person gives the entrance and links: looked at before anything is made, for a stack that
waits for one fails after a quarter of an hour, and names a parameter that nobody knows."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from anden.engines.aws.errors import code, explained
from anden.engines.aws.render import naming
from anden.engines.aws.render.entrance import entrance
from anden.model.problem import Problem, Problems
from anden.model.topology import Topology

ISSUED, PRIVATE = "ISSUED", "PRIVATE"
_ARN = re.compile(r"arn:[a-z-]+:acm:(?P<region>[a-z0-9-]+):[0-9]{12}:certificate/.+")
ABSENT = ("ParameterNotFound", "ResourceNotFoundException", "ValidationException", "InvalidArnException")


def require(clients: Callable[[str, str], Any], topology: Topology) -> None:
    """Raises Problems: the environment needs a certificate and it is not given, lies in another region, is not issued,
    or is for other names. Nothing where no certificate is needed. clients: service and region to a boto3 client."""
    hosts, region = entrance(topology).hosts, topology.region
    if not hosts or region is None:
        return
    parameter = naming.given(topology, "certificate")
    arn = _given(clients("ssm", region), parameter)
    problem = _unfit(arn, parameter, region, hosts)
    if problem is None:
        assert arn is not None  # noqa: S101 - an absent one is unfit
        problem = unusable(arn, _described(clients("acm", region), arn), hosts)
    if problem is not None:
        raise Problems(problem)


def require_linked(clients: Callable[[str, str], Any], topology: Topology) -> None:
    """Raises Problems, with every one: the certificate of a link is not there, is not issued, or is of no private
    authority. Nothing is asked where no link has one. clients: as above."""
    region = topology.region
    named = {link.name: link.certificate for link in topology.links if link.certificate}
    if not named or region is None:
        return
    client = clients("acm", region)
    found = [_unfit_for_link(name, arn, _described(client, arn)) for name, arn in named.items()]
    if problems := [each for each in found if each is not None]:
        raise Problems(problems)


def _unfit_for_link(name: str, arn: str, described: Mapping[str, Any] | None) -> Problem | None:
    where, fix = f"link {name}", "Name the ARN of one that AWS Private CA has issued in this account and region."
    if described is None:
        return Problem(where, f"{arn} is not there", "ACM knows no such certificate in this account and region", fix)
    kind, status = str(described.get("Type", "unknown")), str(described.get("Status", "unknown"))
    if kind != PRIVATE:
        why = "a customer gateway takes certificates of a private authority only (AWS Private CA)"
        return Problem(where, f"{arn} is {kind}, not {PRIVATE}", why, fix)
    if status != ISSUED:
        return Problem(where, f"{arn} is {status}, not {ISSUED}", "no tunnel would rise by it", fix)
    return None


def _given(client: Any, parameter: str) -> str | None:
    with explained(f"parameter {parameter}"):
        try:
            value: str = client.get_parameter(Name=parameter)["Parameter"]["Value"]
        except ClientError as error:
            if code(error) not in ABSENT:
                raise
            return None
    return value.strip()


def _described(client: Any, arn: str) -> Mapping[str, Any] | None:
    with explained(f"certificate {arn}"):
        try:
            found: Mapping[str, Any] = client.describe_certificate(CertificateArn=arn)["Certificate"]
        except ClientError as error:
            if code(error) not in ABSENT:
                raise
            return None
    return found


def _unfit(arn: str | None, parameter: str, region: str, hosts: Sequence[str]) -> Problem | None:
    """Why what was given cannot be the entrance's certificate, whatever ACM says."""
    names = ", ".join(hosts)
    if arn is None:
        return Problem(
            "certificate", f"the SSM parameter {parameter} is not there", f"the entrance answers to {names} by TLS",
            f"Have ACM issue a certificate for {names} in {region}, and write its ARN to the parameter:"
            f" aws ssm put-parameter --region {region} --type String --name {parameter} --value ARN",
        )  # fmt: skip
    found = _ARN.fullmatch(arn)
    if found is None:
        what, why = f"{parameter} holds {arn!r}", "it is no ARN of an ACM certificate"
        return Problem("certificate", what, why, f"Write the ARN of a certificate for {names} to it.")
    if found["region"] != region:
        what = f"{arn} is a certificate of {found['region']}"
        why = f"the entrance is in {region}, and takes certificates of its own region only"
        return Problem("certificate", what, why, f"Have one issued in {region}, and write its ARN to {parameter}.")
    return None


def unusable(arn: str, described: Mapping[str, Any] | None, hosts: Sequence[str]) -> Problem | None:
    """Why ACM's certificate cannot serve these names; None: it can. described: what ACM says of it, None: it knows no
    such one."""
    if described is None:
        why = "ACM knows no such certificate in this account and region"
        return Problem("certificate", f"{arn} is not there", why, "Write the ARN of one that is there.")
    status = str(described.get("Status", "unknown"))
    if status != ISSUED:
        why = "an entrance with it would not be made"
        fix = "Put ACM's proof into the domain's DNS zone, and wait until it is issued."
        if status != "PENDING_VALIDATION":
            fix = "Have a new one issued, and write its ARN to the parameter."
        return Problem("certificate", f"{arn} is {status}, not {ISSUED}", why, fix)
    names = [str(described.get("DomainName", "")), *map(str, described.get("SubjectAlternativeNames", ()))]
    left = [host for host in hosts if not any(covers(name, host) for name in names)]
    if left:
        what = f"{arn} is not for {', '.join(left)}"
        why = f"it is for {', '.join(dict.fromkeys(name for name in names if name))}"
        return Problem("certificate", what, why, "Have one issued that names all of them, and write its ARN.")
    return None


def covers(name: str, host: str) -> bool:
    """Whether a certificate's name is `host`'s: the same, or with `*` for its first label, and for that one only."""
    name, host = name.lower(), host.lower()
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])
