"""The internal load balancer: the gateway's way to services with a route, and nobody else's.

What no rule names gets the answer that the twin gives. Services add their rules themselves, each in its own stack.
"""

import json

from anden.engines.aws.render.naming import BALANCER_GROUP, RECORDS, edge_subnet, given, place
from anden.engines.aws.render.records import PREFIX
from anden.engines.aws.render.rules import HTTPS, entrance_port
from anden.engines.aws.render.template import Json, Part, att, ref, resource, tags
from anden.model.blueprint import Blueprint

NO_ROUTE = json.dumps({"error": "no route"})
"""What whoever asks for something that no route names is told, with 404. The twin says it as a problem (RFC 9457)."""
IDLE_S = 60
"""How long a connection may be silent (Elastic Load Balancing user guide, "Edit attributes": its default)."""
EDGES = 2
"""Subnets in two zones: an Application Load Balancer needs them."""
TLS = "ELBSecurityPolicy-TLS13-1-2-2021-06"
"""TLS 1.3, and 1.2 with forward secrecy (Elastic Load Balancing user guide, "Security policies")."""
CERTIFICATE = "CertificateArn"
"""The parameter that says which certificate the entrance shows. It is given, and not made here: with a certificate of
its own the stack would wait, up to three days, until somebody had put AWS's proof into a DNS zone, and a client's
zones are seldom in this account. Its default is the SSM name that `naming.given` tells."""


def part(blueprint: Blueprint) -> Part:
    """Load balancer and listener."""
    topology = blueprint.topology
    listener: dict[str, Json] = {"Port": entrance_port(blueprint), "Protocol": "HTTP"}
    parameters: dict[str, Json] = {}
    if listener["Port"] == HTTPS:
        listener |= {"Protocol": "HTTPS", "SslPolicy": TLS, "Certificates": [{"CertificateArn": ref(CERTIFICATE)}]}
        parameters[CERTIFICATE] = {
            "Type": "AWS::SSM::Parameter::Value<String>", "Default": given(topology, "certificate"),
            "Description": f"ARN of an ACM certificate of this region for {topology.domain}",
        }  # fmt: skip
    resources = {
        "Balancer": resource(
            "AWS::ElasticLoadBalancingV2::LoadBalancer", Type="application", Scheme="internal", IpAddressType="ipv4",
            Subnets=[edge_subnet(number) for number in range(EDGES)], SecurityGroups=[BALANCER_GROUP],
            LoadBalancerAttributes=[
                {"Key": "deletion_protection.enabled", "Value": str(topology.production).lower()},
                {"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"},
                {"Key": "idle_timeout.timeout_seconds", "Value": str(IDLE_S)},
                {"Key": "access_logs.s3.enabled", "Value": "true"},
                {"Key": "access_logs.s3.bucket", "Value": RECORDS},
                {"Key": "access_logs.s3.prefix", "Value": PREFIX},
            ],
            Tags=tags(Name=place(topology)),
        ),
        "Listener": resource(
            "AWS::ElasticLoadBalancingV2::Listener", LoadBalancerArn=ref("Balancer"), **listener,
            DefaultActions=[fixed("404", NO_ROUTE)],
        ),
    }  # fmt: skip
    publishes = {"listener": ref("Listener"), "balancer-name": att("Balancer", "LoadBalancerFullName")}
    return Part(resources, publishes, parameters)


def fixed(status: str, body: str) -> Json:
    """An action that answers by itself, with JSON."""
    response = {"StatusCode": status, "ContentType": "application/json", "MessageBody": body}
    return {"Type": "fixed-response", "FixedResponseConfig": response}
