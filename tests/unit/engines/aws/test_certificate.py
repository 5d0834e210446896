"""The certificate of the entrance, looked at before anything is made. The client is the real one."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from anden.engines.aws.certificate import covers, require, require_linked, unusable
from anden.model.ids import ServiceName
from anden.model.problem import Problems
from anden.model.topology import ImageSource, Link, Route, Service, Topology

from .recorded import Answers, recorded

ARN = "arn:aws:acm:us-east-1:111122223333:certificate/1234"
WEB = Service(ServiceName("web"), ImageSource("web:1"), port=8080, route=Route("/"))
BANK = Topology("banco", "production", (WEB,), region="us-east-1", domain="api.banco.example")


def answers(arn: str = ARN, status: str = "ISSUED", *names: str) -> Answers:
    said: dict[str, Any] = {"CertificateArn": arn, "Status": status, "DomainName": (names or ("*.banco.example",))[0]}
    return {
        "GetParameter": {"Parameter": {"Name": "x", "Type": "String", "Value": arn}},
        "DescribeCertificate": {"Certificate": said},
    }


def look(given: Answers, topology: Topology = BANK) -> list[str]:
    with recorded(given) as it:
        require(lambda service, region: it.client(service), topology)
        return it.asked


def test_one_that_is_issued_for_the_domain() -> None:
    assert look(answers()) == ["GetParameter", "DescribeCertificate"]


def test_nothing_is_asked_where_none_is_needed() -> None:
    assert look({}, Topology("banco", "dev", (WEB,), region="us-east-1")) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"GetParameter": (400, "ParameterNotFound", "no")},
         ["/anden/banco/production/given/certificate is not there", "api.banco.example", "aws ssm put-parameter"]),
        (answers("certificate"), ["holds 'certificate'", "no ARN"]),
        (answers(ARN.replace("us-east-1", "eu-west-1")), ["certificate of eu-west-1", "own region only"]),
        ({**answers(), "DescribeCertificate": (400, "ResourceNotFoundException", "no")}, ["is not there", "knows no"]),
        (answers(ARN, "PENDING_VALIDATION"), ["PENDING_VALIDATION, not ISSUED", "DNS zone"]),
        (answers(ARN, "EXPIRED"), ["EXPIRED, not ISSUED", "new one"]),
        (answers(ARN, "ISSUED", "banco.example"), ["not for api.banco.example", "it is for banco.example"]),
    ],
)  # fmt: skip
def test_one_that_will_not_do(given: Answers, words: list[str]) -> None:
    with pytest.raises(Problems) as refused:
        look(given)
    [problem] = refused.value.problems
    assert problem.where == "certificate"
    assert all(word in str(refused.value) for word in words), str(refused.value)
    assert problem.why
    assert problem.fix


def test_what_aws_refuses_otherwise_is_said_in_its_words() -> None:
    with pytest.raises(Problems, match="may not"):
        look({"GetParameter": (400, "AccessDeniedException", "you may not")})


def test_alternative_names_count_and_a_star_is_one_label() -> None:
    said = {"Status": "ISSUED", "DomainName": "x.example", "SubjectAlternativeNames": ["*.banco.example", "b.example"]}
    assert unusable(ARN, said, ("api.banco.example", "b.example")) is None
    assert covers("*.a.example", "X.A.example")
    assert not covers("*.a.example", "x.y.a.example")
    assert not covers("*.a.example", "a.example")


def linked(type_: str, status: str) -> Answers:
    return {"DescribeCertificate": {"Certificate": {"CertificateArn": ARN, "Type": type_, "Status": status}}}


def look_at_links(given: Answers, *certificates: str | None) -> list[str]:
    links = [
        Link(f"link-{at}", IPv4Address("203.0.113.10"), (IPv4Network("10.20.0.0/16"),), certificate=arn)
        for at, arn in enumerate(certificates, 1)
    ]
    with recorded(given) as it:
        require_linked(lambda service, region: it.client(service), replace(BANK, links=tuple(links)))
        return it.asked


def test_a_links_certificate_is_a_private_one() -> None:
    assert look_at_links(linked("PRIVATE", "ISSUED"), ARN, ARN) == ["DescribeCertificate"] * 2
    assert look_at_links({}, None) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (linked("AMAZON_ISSUED", "ISSUED"), "AMAZON_ISSUED, not PRIVATE"),
        (linked("PRIVATE", "EXPIRED"), "EXPIRED, not ISSUED"),
        ({"DescribeCertificate": (400, "ResourceNotFoundException", "no")}, "is not there"),
    ],
)
def test_every_link_whose_certificate_will_not_do_is_named(given: Answers, words: str) -> None:
    with pytest.raises(Problems, match=words) as refused:
        look_at_links(given, ARN, ARN)
    assert [each.where for each in refused.value.problems] == ["link link-1", "link link-2"]
