"""Names of stacks and of what is published between them."""

import hashlib
from functools import lru_cache

from anden.engines.aws.render.template import Json, Published, sub
from anden.model.blueprint import Blueprint
from anden.model.secret import SecretRef
from anden.model.topology import Topology

MOST_STACK_NAME = 128
"""Characters of a stack's name (CloudFormation user guide, "Quotas")."""

# Families of stacks, in the order in which they are made. `service-NAME` is one for each service.
ACCOUNT, NETWORK, FIREWALL, RULES, DATA, EDGE = "account", "network", "firewall", "rules", "data", "edge"
KEYS, ADDRESS = "key", "address"
"""Families that outlive the environment; `address-ZONE` is one for each fixed address (docs/decisions/0022)."""
RECOVERY = "recovery"
"""The vault that backups are copied to, in the recovery region."""
SERVICE = "service"
"""What families of services' stacks begin with."""
RESERVED_ENVIRONMENTS = frozenset({ACCOUNT, "account-recovery", "account-trail", "organization", "state"})
"""Environments that cannot be called so: stacks, tags or the key's name would be those of the client's account."""
GROUP = "AWS::EC2::SecurityGroup::Id"
GROUPS_A_STACK = 200
"""Services whose groups are in one stack: two resources each, of 500 (CloudFormation user guide, "Quotas")."""
MOST_REMEMBERED = 1024
"""Published values of one kind that are made once: many resources use them."""


def service_family(service: str) -> str:
    """The family of a service's own stack."""
    return f"{SERVICE}-{service}"


def address_family(zone: str) -> str:
    """The family of the stack that holds a zone's fixed address."""
    return f"{ADDRESS}-{zone}"


def outlives(family: str) -> bool:
    """Whether its stack is there longer than the environment: only a release ends it."""
    return family == KEYS or family.startswith(f"{ADDRESS}-")


def place(topology: Topology) -> str:
    """What everything of an environment is called by: `banco-andino-production`."""
    return f"{topology.client}-{topology.environment}"


def stack_name(topology: Topology, family: str) -> str:
    """`anden-banco-andino-production-network`; the account's own stack has no environment in it."""
    return f"anden-{topology.client}-{family}" if family == ACCOUNT else f"anden-{place(topology)}-{family}"


def space(topology: Topology) -> str:
    """Where the environment's published values lie in SSM's parameter store."""
    return f"/anden/{topology.client}/{topology.environment}"


def zone_of(blueprint: Blueprint, zone: str) -> str:
    """The region's zone for a zone of ours: what the account has said (`Facts.zones`), else `us-east-1a` for `a`.

    It must never move once made: subnets would be replaced.
    """
    return blueprint.facts.zones.get(zone, f"{blueprint.topology.region}{zone}")


# Names of what people and other programs ask for by name.

MOST_DISCOVERY = 64
"""Characters of a port's name in a task definition, and of what it is discovered by (ECS API, "PortMapping")."""
MOST_VAULT = 50
"""Characters of a backup vault's name (AWS Backup API, "CreateBackupVault")."""
_DIGITS = 6


def fitting(text: str, most: int) -> str:
    """`text`, and where it has more than `most` characters, its beginning and a few digits of its digest."""
    if len(text) <= most:
        return text
    digits = hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
    return f"{text[: most - _DIGITS - 1].rstrip('-')}-{digits}"


def secret_path(client: str, environment: str, name: str) -> str:
    """A secret in Secrets Manager: `banco-andino/production/core-token`."""
    return f"{client}/{environment}/{name}"


def secret_name(topology: Topology, name: str) -> str:
    """The same."""
    return secret_path(topology.client, topology.environment, name)


def secret_arn(topology: Topology, name: str) -> Json:
    """Its ARN without the six characters that Secrets Manager adds."""
    name = secret_name(topology, name)
    return sub(f"arn:${{AWS::Partition}}:secretsmanager:${{AWS::Region}}:${{AWS::AccountId}}:secret:{name}")


def secret_value_from(topology: Topology, secret: SecretRef) -> Json:
    """What a task definition refers to: the version that the blueprint names, so that another one is another task
    definition, and all tasks of one have the same (ECS developer guide, "Pass Secrets Manager secrets through Amazon
    ECS environment variables": ARN, key, stage, version). Without a version, the current one."""
    return secret_arn(topology, f"{secret.name}:::{secret.version}" if secret.version else secret.name)


def secret_reference(topology: Topology, secret: SecretRef) -> str:
    """What CloudFormation fetches the value by when it applies the stack; no template holds it (its user guide, "Get a
    secret or secret value from Secrets Manager": name, `SecretString`, key, stage, version)."""
    version = f":SecretString:::{secret.version}" if secret.version else ""
    return f"{{{{resolve:secretsmanager:{secret_name(topology, secret.name)}{version}}}}}"


def repository(topology: Topology, service: str) -> str:
    """The ECR repository of a service: `banco-andino/production/accounts`."""
    return f"{topology.client}/{topology.environment}/{service}"


def image_uri(topology: Topology, service: str, digest: str) -> Json:
    """Where a task pulls the image from, by digest, from the account's own registry."""
    registry = "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}"
    return sub(f"{registry}/{repository(topology, service)}@{digest}")


def log_group(topology: Topology, what: str) -> str:
    """The log group of a service, or of another part: `/anden/banco-andino/production/accounts`."""
    return f"{space(topology)}/{what}"


def discovery_name(topology: Topology, service: str) -> str:
    """What Cloud Map and the metrics of Service Connect know a service by. The environment's name is in it: metrics
    have this name and no namespace, and an account may hold several environments."""
    return fitting(f"{topology.environment}-{service}", MOST_DISCOVERY)


def vault_name(topology: Topology) -> str:
    """The backup vault, in either region."""
    return fitting(place(topology), MOST_VAULT)


def given(topology: Topology, what: str) -> str:
    """The SSM name of a value that only a person can give: `/anden/banco-andino/production/given/certificate`."""
    return f"{space(topology)}/given/{what}"


# What the stacks that outlive the environment publish.

KEY = Published(KEYS, "arn", "String")
"""ARN of the environment's KMS key: secrets, logs, backups."""


def allocation(zone: str) -> Published:
    """The id of the address from which a zone leaves; with egress `one` all leave from zone a's."""
    return Published(address_family(zone), "allocation", "String")


def fixed_address(zone: str) -> Published:
    """The address itself."""
    return Published(address_family(zone), "ip", "String")


# What the network's stack publishes.

VPC = Published("network", "vpc", "AWS::EC2::VPC::Id")


@lru_cache(MOST_REMEMBERED)
def private_subnet(zone: str) -> Published:
    """Where tasks live."""
    return Published("network", f"private-{zone}", "AWS::EC2::Subnet::Id")


def data_subnet(zone: str) -> Published:
    """Where data services and interface endpoints live; no route leads out."""
    return Published("network", f"data-{zone}", "AWS::EC2::Subnet::Id")


def edge_subnet(number: int) -> Published:
    """Where the internal load balancer lives: 0 and 1, in two zones whatever the environment has."""
    return Published("network", f"edge-{number}", "AWS::EC2::Subnet::Id")


ENDPOINTS_GROUP = Published("network", "endpoints-group", GROUP)
"""The security group of the interface endpoints."""


def link_key(link: str) -> str:
    """What the id of a link's VPN connection is published as."""
    return f"link-{link}"


def seen_subnet_key(link: str, zone: str) -> str:
    """What the subnet of a zone's share of a link's `seen-as` is published as."""
    return f"seen-{zone}-by-{link}"


def seen_subnet(link: str, zone: str) -> Published:
    """Where the other side dials."""
    return Published("network", seen_subnet_key(link, zone), "AWS::EC2::Subnet::Id")


# What the firewall's stacks publish.

BALANCER_KEY, GATEWAY_KEY = "balancer-group", "gateway-group"


def group_key(service: str) -> str:
    """What a service's security group is published as."""
    return f"group-of-{service}"


def link_group_key(link: str) -> str:
    """What the security group of a link's balancer is published as."""
    return f"group-by-{link}"


def link_group(link: str) -> Published:
    """The group of what may come in over a link."""
    return Published(FIREWALL, link_group_key(link), GROUP)


def firewall_family(shard: int) -> str:
    """`firewall`, `firewall-2`, …: the stacks of security groups."""
    return FIREWALL if shard == 1 else f"{FIREWALL}-{shard}"


def rules_family(shard: int) -> str:
    """`rules`, `rules-2`, …: the stacks of what the groups allow."""
    return RULES if shard == 1 else f"{RULES}-{shard}"


@lru_cache(MOST_REMEMBERED)
def group(service: str, number: int) -> Published:
    """A service's security group. number: its placement's, which says in which stack the group is."""
    return Published(firewall_family((number - 1) // GROUPS_A_STACK + 1), group_key(service), GROUP)


BALANCER_GROUP = Published(FIREWALL, BALANCER_KEY, GROUP)
"""The internal load balancer's."""
GATEWAY_GROUP = Published(FIREWALL, GATEWAY_KEY, GROUP)
"""The VPC link's: where the REST API comes in."""

# What the data stack publishes: the topic of alarms, and where logs go.

ALARMS = Published("data", "alarms", "String")
"""ARN of the SNS topic that alarms go to."""
RECORDS = Published("data", "records", "String")
"""Name of the bucket that the load balancer's access logs go to."""

# What the edge stack publishes.

CLUSTER = Published("edge", "cluster", "String")
"""Name of the ECS cluster."""
NAMESPACE = Published("edge", "namespace", "String")
"""ARN of the Cloud Map namespace of Service Connect."""
LISTENER = Published("edge", "listener", "String")
"""ARN of the internal load balancer's listener, to which services add their rules."""
BALANCER_NAME = Published("edge", "balancer-name", "String")
"""Full name of the load balancer, as CloudWatch's metrics and request-count scaling have it (`app/…/…`)."""


def link_balancer_key(link: str) -> str:
    """What the ARN of the balancer that a link's other side dials is published as."""
    return f"balancer-by-{link}"


def link_balancer(link: str) -> Published:
    """The balancer to which services add their listeners."""
    return Published("edge", link_balancer_key(link), "String")


ENTRANCE = Published("edge", "entrance", "String")
"""The name that the environment's domain must point to; without a domain, the address that people ask."""

# What the account's stack publishes, under a space of its own (see account_space).


def account_space(topology: Topology) -> str:
    """Where values of the whole account lie."""
    return f"/anden/{topology.client}"
