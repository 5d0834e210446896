"""The entrance from outside: a regional REST API whose paths are the routes' and no others, by a VPC link to the
internal balancer, which decides. Nothing else has a way to it.

    /accounts, /accounts/{proxy+}   ANY → balancer, same path, same host, the body byte for byte
    anything else                   404, as on the twin

A path between two routed ones (`/a` where `/` and `/a/b` are routed) gets methods too, for a REST API takes the most
specific resource and looks no further.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping

import msgspec

from anden.engines.aws.render.balancer import CERTIFICATE, EDGES, NO_ROUTE
from anden.engines.aws.render.cluster import logs
from anden.engines.aws.render.entrance import STAGE, Entrance, timeout_s
from anden.engines.aws.render.naming import GATEWAY_GROUP, edge_subnet, place
from anden.engines.aws.render.rules import HTTP, HTTPS
from anden.engines.aws.render.template import Json, Part, Resource, apart, att, ref, resource, sub
from anden.model.blueprint import Blueprint
from anden.model.topology import Topology

RATE, BURST = 1_000.0, 500
"""Requests a second that the whole entrance takes, and at once; the account has 10,000 and 5,000 for all of its APIs
(API Gateway developer guide, "Quotas")."""
ACCESS_LOG = json.dumps(
    {
        "requestId": "$context.requestId", "trace": "$context.xrayTraceId", "time": "$context.requestTimeEpoch",
        "from": "$context.identity.sourceIp", "host": "$context.domainName", "method": "$context.httpMethod",
        "path": "$context.path", "status": "$context.status", "waf": "$context.wafResponseCode",
        "balancerStatus": "$context.integration.status", "balancerMs": "$context.integration.latency",
        "ms": "$context.responseLatency", "bytes": "$context.responseLength",
    }
)  # fmt: skip
"""What is written of each request: no query, no header, no token."""
_DIGITS = 10


def part(blueprint: Blueprint, entrance: Entrance) -> Part:
    """API, paths, stage and names. In the stack of the balancer."""
    topology = blueprint.topology
    paths = dict(_paths(topology, entrance))
    paths["NoRoute"] = resource(
        "AWS::ApiGateway::GatewayResponse", RestApiId=ref("Api"), ResponseType="MISSING_AUTHENTICATION_TOKEN",
        StatusCode="404", ResponseTemplates={"application/json": NO_ROUTE},
    )  # fmt: skip
    deployment = f"Deployment{_digits(paths)}"
    methods = [name for name, made in paths.items() if made["Type"] != "AWS::ApiGateway::Resource"]
    names = {apart("name", host): host for host in entrance.hosts}
    resources = {
        "Api": resource(
            "AWS::ApiGateway::RestApi", Name=place(topology), EndpointConfiguration={"Types": ["REGIONAL"]},
            DisableExecuteApiEndpoint=bool(entrance.hosts), BinaryMediaTypes=["*/*"],
        ),
        "Link": resource(
            "AWS::ApiGatewayV2::VpcLink", Name=place(topology), SecurityGroupIds=[GATEWAY_GROUP],
            SubnetIds=[edge_subnet(number) for number in range(EDGES)],
        ),
        **paths,
        deployment: resource("AWS::ApiGateway::Deployment", after=methods, RestApiId=ref("Api")),
        "AccessLog": logs(topology, "gateway"),
        "Stage": resource(
            "AWS::ApiGateway::Stage", RestApiId=ref("Api"), DeploymentId=ref(deployment), StageName=STAGE,
            AccessLogSetting={"DestinationArn": att("AccessLog", "Arn"), "Format": ACCESS_LOG},
            MethodSettings=[
                {
                    "HttpMethod": "*", "ResourcePath": "/*", "MetricsEnabled": True, "DataTraceEnabled": False,
                    "LoggingLevel": "OFF", "ThrottlingRateLimit": RATE, "ThrottlingBurstLimit": BURST,
                }
            ],
        ),
    }  # fmt: skip
    for name, host in names.items():
        resources[name] = resource(
            "AWS::ApiGateway::DomainName", DomainName=host, RegionalCertificateArn=ref(CERTIFICATE),
            EndpointConfiguration={"Types": ["REGIONAL"]}, SecurityPolicy="TLS_1_2",
        )  # fmt: skip
        resources[f"{name}Mapping"] = resource(
            "AWS::ApiGateway::BasePathMapping", DomainName=ref(name), RestApiId=ref("Api"), Stage=ref("Stage")
        )
    return Part(resources, {"entrance": _address(names)})


def _address(names: Mapping[str, str]) -> Json:
    if names:
        return att(next(iter(names)), "RegionalDomainName")
    return sub("https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${Stage}")


def _digits(paths: Mapping[str, Resource]) -> str:
    """A deployment is a copy of the API at one moment: another content needs another one."""
    return hashlib.sha256(msgspec.json.encode(paths, order="sorted")).hexdigest()[:_DIGITS]


def _paths(topology: Topology, entrance: Entrance) -> Iterator[tuple[str, Resource]]:
    """Resources and their methods, parents first."""
    timeouts: dict[str, int] = {}
    for each in entrance.doors.values():
        timeouts[each.path] = max(timeouts.get(each.path, 0), timeout_s(each.service))
    nodes = sorted({above for path in timeouts for above in _and_above(path)})
    for path in nodes:
        here = _id(path)
        if path:
            yield apart("path", path), resource(
                "AWS::ApiGateway::Resource", RestApiId=ref("Api"), ParentId=_id(path.rpartition("/")[0]),
                PathPart=path.rpartition("/")[2],
            )  # fmt: skip
        covering = next((above for above in _and_above(path) if above in timeouts), None)
        if covering is not None:
            proxy = apart("below", path)
            yield (
                proxy,
                resource("AWS::ApiGateway::Resource", RestApiId=ref("Api"), ParentId=here, PathPart="{proxy+}"),
            )
            yield apart("any", path), _method(topology, entrance, here, path, timeouts[covering])
            yield (
                apart("any below", path),
                _method(topology, entrance, ref(proxy), f"{path}/{{proxy}}", timeouts[covering]),
            )


def _and_above(path: str) -> Iterator[str]:
    """`/a/b`, `/a` and the root, which is empty."""
    while path:
        yield path
        path = path.rpartition("/")[0]
    yield ""


def _id(path: str) -> Json:
    return ref(apart("path", path)) if path else att("Api", "RootResourceId")


def _method(topology: Topology, entrance: Entrance, at: Json, path: str, wait_s: int) -> Resource:
    """ANY on one resource, passed on as it came. The address in it is not for routing: it says which name the
    balancer's certificate must have, and which host it is asked for (API Gateway API, "PutIntegration")."""
    below = path.endswith("{proxy}")
    passed = {"integration.request.path.proxy": "method.request.path.proxy"} if below else {}
    if topology.domain is not None:
        uri: Json = f"https://{topology.domain}:{HTTPS}{path or '/'}"
        if len(entrance.hosts) > 1:
            passed["integration.request.header.Host"] = "context.domainName"
    else:
        uri = sub(f"http://${{Balancer.DNSName}}:{HTTP}{path or '/'}")
    integration: dict[str, Json] = {
        "Type": "HTTP_PROXY", "IntegrationHttpMethod": "ANY", "ConnectionType": "VPC_LINK", "ConnectionId": ref("Link"),
        "IntegrationTarget": ref("Balancer"), "Uri": uri, "PassthroughBehavior": "WHEN_NO_MATCH",
        "TimeoutInMillis": wait_s * 1000,
    }  # fmt: skip
    if passed:
        integration["RequestParameters"] = passed
    return resource(
        "AWS::ApiGateway::Method", RestApiId=ref("Api"), ResourceId=at, HttpMethod="ANY", AuthorizationType="NONE",
        maybe={"RequestParameters": {"method.request.path.proxy": True} if below else None}, Integration=integration,
    )  # fmt: skip
