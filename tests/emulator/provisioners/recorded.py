"""Resource types that the emulator lacks and that nobody calls: they are kept as what the template said of them.

Their properties are checked against the schema; a change of one that AWS only takes at creation makes a new resource;
attributes are those that the schema says AWS sets, made up from the resource's name.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from .schema import Schemas, only_read, replacing

Handlers = dict[str, dict[str, Any]]
Attributes = dict[str, Any]
Made = tuple[str, Attributes]

ACCOUNT = "000000000000"
"""The emulator's account unless it is told another."""

KEPT: Mapping[str, str] = {
    "AWS::ApiGateway::VpcLink": "vpcl-",
    "AWS::ApiGatewayV2::VpcLink": "vpcl-",
    "AWS::ApiGateway::UsagePlan": "plan-",
    "AWS::ApplicationAutoScaling::ScalableTarget": "",
    "AWS::ApplicationAutoScaling::ScalingPolicy": "",
    "AWS::Backup::BackupSelection": "",
    "AWS::AccessAnalyzer::Analyzer": "arn:aws:access-analyzer:::analyzer/",
    "AWS::Budgets::Budget": "budget-",
    "AWS::CloudTrail::Trail": "trail-",
    "AWS::CloudWatch::AnomalyDetector": "detector-",
    "AWS::CloudWatch::CompositeAlarm": "",
    "AWS::Config::ConfigRule": "rule-",
    "AWS::Config::ConfigurationAggregator": "",
    "AWS::Config::ConfigurationRecorder": "recorder-",
    "AWS::Config::DeliveryChannel": "channel-",
    "AWS::EC2::FlowLog": "fl-",
    "AWS::EC2::VPCCidrBlock": "vpc-cidr-assoc-",
    "AWS::ECR::RegistryPolicy": "registry-policy-",
    "AWS::ECR::RegistryScanningConfiguration": "scanning-",
    "AWS::ECR::ReplicationConfiguration": "replication-",
    "AWS::ECR::RepositoryCreationTemplate": "creation-",
    "AWS::ECR::SigningConfiguration": "signing-",
    "AWS::ECS::CapacityProvider": "capacity-",
    "AWS::ECS::ClusterCapacityProviderAssociations": "capacity-",
    "AWS::ElasticLoadBalancingV2::ListenerCertificate": "certificate-",
    "AWS::GuardDuty::Detector": "",
    "AWS::IAM::OIDCProvider": "arn:aws:iam::000000000000:oidc-provider/",
    "AWS::IAM::ServiceLinkedRole": "",
    "AWS::KMS::ReplicaKey": "mrk-",
    "AWS::Logs::QueryDefinition": "",
    "AWS::NetworkFirewall::Firewall": "firewall-",
    "AWS::NetworkFirewall::FirewallPolicy": "policy-",
    "AWS::NetworkFirewall::LoggingConfiguration": "logging-",
    "AWS::NetworkFirewall::RuleGroup": "group-",
    "AWS::Organizations::Organization": "o-",
    "AWS::Organizations::OrganizationalUnit": "ou-",
    "AWS::Route53Resolver::FirewallDomainList": "rslvr-fdl-",
    "AWS::Route53Resolver::FirewallRuleGroup": "rslvr-frg-",
    "AWS::Route53Resolver::FirewallRuleGroupAssociation": "rslvr-frgassoc-",
    "AWS::Route53Resolver::ResolverQueryLoggingConfig": "rqlc-",
    "AWS::Route53Resolver::ResolverQueryLoggingConfigAssociation": "rqlca-",
    "AWS::Route53Resolver::ResolverRule": "rslvr-rr-",
    "AWS::S3::StorageLens": "lens-",
    "AWS::SecretsManager::ResourcePolicy": "policy-",
    "AWS::SecretsManager::RotationSchedule": "rotation-",
    "AWS::SSM::Document": "document-",
    "AWS::WAFv2::IPSet": "",
    "AWS::WAFv2::LoggingConfiguration": "logging-",
    "AWS::WAFv2::WebACLAssociation": "association-",
}  # fmt: skip
"""Type to what its ids begin with."""


def provisioners(schemas: Schemas) -> Handlers:
    """For every type of KEPT."""
    return {kind: keeping(kind, prefix, schemas) for kind, prefix in KEPT.items()}


def keeping(kind: str, prefix: str, schemas: Schemas) -> dict[str, Any]:
    """The handlers of one type in the emulator's form."""
    schema = schemas.of(kind)

    def create(logical: str, properties: dict[str, Any], stack: str) -> Made:
        its_id = prefix + number(kind, logical, stack, repr(sorted(_fixed(properties).items())))
        return its_id, attributes(kind, schema, its_id, properties)

    def _fixed(properties: Mapping[str, Any]) -> dict[str, Any]:
        return {name: properties[name] for name in replacing(schema) if name in properties}

    return {"create": create, **changing(create, lambda its_id, properties: None, _fixed),
            "attributes": lambda its_id, properties: attributes(kind, schema, its_id, properties)}  # fmt: skip


def changing(
    create: Callable[[str, dict[str, Any], str], Made],
    delete: Callable[[str, dict[str, Any]], None],
    fixed: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    change: Callable[[str, dict[str, Any], dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """`update` and `delete`: a new resource where what is fixed changes, else `change` it in place."""
    kept: dict[str, Attributes] = {}

    def made(logical: str, properties: dict[str, Any], stack: str) -> Made:
        its_id, its = create(logical, properties, stack)
        kept[its_id] = its
        return its_id, its

    def update(its_id: str, old: dict[str, Any], new: dict[str, Any], stack: str, logical: str | None = None) -> Made:
        if fixed(old) != fixed(new):
            return made(logical or its_id, new, stack)
        if change is not None:
            change(its_id, old, new)
        return its_id, kept.get(its_id, {})

    return {"create": made, "update": update, "update_with_logical_id": True, "delete": delete}


def attributes(kind: str, schema: Mapping[str, Any], its_id: str, properties: Mapping[str, Any]) -> Attributes:
    """A value for everything that the schema says AWS sets: the id where it is an id, an ARN where it is one."""
    made: Attributes = {}
    for name in only_read(schema):
        rule = schema["properties"].get(name, {})
        if rule.get("type") == "array":
            made[name] = []
        elif "arn" in name.lower():
            made[name] = (
                its_id if its_id.startswith("arn:") else f"arn:aws:{kind.split('::')[1].lower()}:::{kind[5:]}/{its_id}"
            )
        else:
            made[name] = its_id
    return made


def number(*words: str) -> str:
    """17 hexadecimal digits, the same for the same words."""
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:17]
