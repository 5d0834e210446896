"""What an environment costs in a month: what its stacks hold and its services run, times a table of prices. Pure.

What a template says is counted there. Instances are counted from the blueprint: all services at their base, and all at
the end of their range. Traffic, logs and images are nobody's to know: they are assumptions, each with a flag.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from anden.engines.aws.inventory import Inventory, take
from anden.engines.aws.render import naming
from anden.engines.aws.render.template import Stack
from anden.engines.aws.tables import Prices
from anden.model.blueprint import Blueprint
from anden.model.cost import Assumed, CostLine, CostReport, FamilyCost
from anden.model.ids import EngineName
from anden.model.problem import Problem, Problems
from anden.model.topology import Range, Topology

HOURS = 730.0
"""Hours of a month, as AWS's own calculator has it (365 days / 12, rounded)."""
MIB_A_GB = 1024
"""Fargate's "GB" of memory are GiB (ECS developer guide, "Task size")."""
KB_A_GB = 1_000_000
MILLION = 1_000_000

WHOLE = frozenset({naming.KEYS, naming.NETWORK, naming.FIREWALL, naming.RULES, naming.DATA, naming.EDGE})
"""Families of stacks without which an estimate is not whole."""
LEFT_OUT = (
    "traffic between zones and regions, through links and their balancers, and flow logs: it depends on callers",
    "requests to KMS, Secrets Manager, SSM, S3 and DNS, and notifications: usually cents",
    "what an ARM image saves: instances are priced as x86",
    "storage of your own: databases, buckets, volumes beyond the 20 GB of a task",
    "whatever the account pays beside this environment: trail, Config, GuardDuty, other environments",
    "support plans, taxes, free tier, Savings Plans, private prices",
)
"""What no line of the estimate has in it."""


@dataclass(frozen=True, slots=True)
class _Case:
    blueprint: Blueprint
    inventory: Inventory
    assumed: Assumed

    @property
    def topology(self) -> Topology:
        return self.blueprint.topology

    def instances(self, of: Callable[[Range], int]) -> int:
        return sum(of(service.instances) for service in self.topology.services)


_Line = tuple[str, str, str, float, float]
"""Family, figure, what, quantity at base, quantity at max."""


def estimate(
    blueprint: Blueprint, stacks: Sequence[Stack], prices: Prices, assumed: Assumed, today: date
) -> CostReport:
    """The estimate. stacks: the environment's, as rendered. today: for the age of the table.

    Raises Problems: no region is said, or the table has no prices for it.
    """
    topology = blueprint.topology
    region = _region(topology, prices)
    known, figures = prices.regions[region], prices.figures
    case = _Case(blueprint, take(stacks), assumed)
    lines = tuple(
        CostLine(family, what, figures[name].unit, base, most, known.get(name), figures[name].source)
        for family, name, what, base, most in _lines(case)
        if most
    )
    families = tuple(_family(name, lines) for name in dict.fromkeys(line.family for line in lines))
    return CostReport(
        client=topology.client,
        environment=topology.environment,
        engine=EngineName.AWS.value,
        region=region,
        currency=prices.currency,
        base=sum(line.base for line in lines),
        max=sum(line.max for line in lines),
        families=families,
        lines=lines,
        assumptions=tuple(assumed.said()),
        left_out=(*LEFT_OUT, *_insights(case.inventory), *_unpriced(lines, region), *_unrendered(stacks)),
        prices_of=prices.date.isoformat(),
        age_days=(today - prices.date).days,
        hours=HOURS,
        kept=_kept(stacks, known),
    )


def _kept(stacks: Sequence[Stack], known: Mapping[str, float]) -> float:
    """What goes on while the environment is down. An address costs the same, used or not."""
    holds = take([stack for stack in stacks if naming.outlives(stack.family)])
    addresses, keys = holds.count("AWS::EC2::EIP") * HOURS, holds.count("AWS::KMS::Key")
    return addresses * known.get("address", 0.0) + keys * known.get("key", 0.0)


def _region(topology: Topology, prices: Prices) -> str:
    known = ", ".join(prices.regions)
    if topology.region is None:
        what, why = "the manifest says no region", "prices differ from region to region"
        raise Problems(Problem("region", what, why, f"Add `region: us-east-1`; there are prices for {known}."))
    if topology.region not in prices.regions:
        why = f"the table has {known}"
        raise Problems(Problem("region", f"there are no prices for {topology.region}", why, "Ask for it to be added."))
    return topology.region


def _family(name: str, lines: Sequence[CostLine]) -> FamilyCost:
    own = [line for line in lines if line.family == name]
    what = ", ".join(line.what if line.price is not None else f"{line.what} (no price)" for line in own)
    return FamilyCost(name, sum(line.base for line in own), sum(line.max for line in own), what)


def _unpriced(lines: Sequence[CostLine], region: str) -> Iterator[str]:
    names = list(dict.fromkeys(f"{line.family} ({line.unit})" for line in lines if line.price is None))
    if names:
        yield f"what the table has no price for in {region}: {', '.join(names)}"


def _insights(holds: Inventory) -> Iterator[str]:
    """A cluster's insights are custom metrics, of the cluster and of each service: how many is AWS's to change."""
    for item in holds.of("AWS::ECS::Cluster"):
        settings = item.get("ClusterSettings") or ()
        if any(each.get("Name") == "containerInsights" and each.get("Value") != "disabled" for each in settings):
            yield "Container Insights, which the cluster has on: custom metrics of it and of each service"


def _unrendered(stacks: Sequence[Stack]) -> Iterator[str]:
    missing = sorted(WHOLE - {stack.family for stack in stacks})
    if missing:
        yield f"stacks that are not rendered: {', '.join(missing)}"


def _lines(case: _Case) -> Iterator[_Line]:
    yield from _compute(case)
    yield from _network(case)
    yield from _entrance(case)
    yield from _records(case)


def _compute(case: _Case) -> Iterator[_Line]:
    sized = [(each.size, each.instances) for each in case.topology.services]
    base, most = (sum(size.cpu_milli / 1000 * of(span) for size, span in sized) for of in (_base, _max))
    yield "Fargate compute", "fargate-vcpu", _span(base, most, "vCPU"), base * HOURS, most * HOURS
    base, most = (sum(size.memory_mib / MIB_A_GB * of(span) for size, span in sized) for of in (_base, _max))
    yield "Fargate compute", "fargate-memory", _span(base, most, "GB"), base * HOURS, most * HOURS


def _base(span: Range) -> int:
    return span.base


def _max(span: Range) -> int:
    return span.max


def _network(case: _Case) -> Iterator[_Line]:
    holds, assumed = case.inventory, case.assumed
    gateways = holds.count("AWS::EC2::NatGateway")
    public = sum(item.get("ConnectivityType") != "private" for item in holds.of("AWS::EC2::NatGateway"))
    yield _always("NAT gateways", "nat-hour", _count(gateways, "gateway"), gateways * HOURS)
    if public:
        yield _always("NAT gateways", "nat-gb", f"{assumed.nat_gb:g} GB through them", assumed.nat_gb)
    addresses = holds.count("AWS::EC2::EIP")
    yield _always("Addresses", "address", _count(addresses, "Elastic IP"), addresses * HOURS)
    endpoints = [item for item in holds.of("AWS::EC2::VPCEndpoint") if item.get("VpcEndpointType") == "Interface"]
    zones = sum(len(item.get("SubnetIds") or ()) for item in endpoints)
    yield _always(
        "VPC endpoints",
        "endpoint-hour",
        f"{_count(len(endpoints), 'endpoint')}, {zones} in all their zones",
        zones * HOURS,
    )
    if endpoints:
        yield _logged(case, "VPC endpoints", "endpoint-gb", "of logs")
    links = holds.count("AWS::EC2::VPNConnection")
    yield _always("VPN connections", "vpn-hour", _count(links, "connection"), links * HOURS)
    domains = sum(len(item.get("Domains") or ()) for item in holds.of("AWS::Route53Resolver::FirewallDomainList"))
    yield _always("DNS firewall", "dns-domain", _count(domains, "name"), domains)


def _entrance(case: _Case) -> Iterator[_Line]:
    holds, assumed = case.inventory, case.assumed
    standing = holds.of("AWS::ElasticLoadBalancingV2::LoadBalancer")
    balancers = [item for item in standing if item.get("Type") != "network"]
    of_links = len(standing) - len(balancers)
    answered = assumed.requests * MILLION * assumed.answer_kb / KB_A_GB
    apis = holds.count("AWS::ApiGateway::RestApi")
    yield _always("Load balancer", "alb-hour", _count(len(balancers), "balancer"), len(balancers) * HOURS)
    yield _always("Balancers of links", "nlb-hour", _count(of_links, "balancer"), of_links * HOURS)
    if balancers:
        # One LCU is, by the measure that small environments meet first, a GB processed in an hour.
        yield _always("Load balancer", "alb-lcu", f"{answered:g} GB processed", answered)
    if apis:
        million = f"{assumed.requests:g} million"
        yield _always("API gateway requests", "rest-requests", million, assumed.requests)
    lists = holds.of("AWS::WAFv2::WebACL")
    rules = sum(len(item.get("Rules") or ()) for item in lists)
    yield _always("WAF", "waf-acl", _count(len(lists), "ACL"), len(lists))
    yield _always("WAF", "waf-rule", _count(rules, "rule"), rules)
    if lists:
        yield _always("WAF", "waf-requests", f"{assumed.requests:g} million requests", assumed.requests)
    out = answered if apis else 0.0
    yield _always("Data transfer", "out-gb", f"{out:g} GB of answers to the internet", out)
    if any(item.get("ConnectivityType") != "private" for item in holds.of("AWS::EC2::NatGateway")):
        yield _always("Data transfer", "out-gb", f"{assumed.nat_gb:g} GB to destinations", assumed.nat_gb)


def _records(case: _Case) -> Iterator[_Line]:
    holds, assumed, topology = case.inventory, case.assumed, case.topology
    if case.instances(_max):
        yield _logged(case, "Logs", "logs-in", "taken in")
        yield _logged(case, "Logs", "logs-kept", "kept")
    keys = holds.count("AWS::KMS::Key")
    yield _always("KMS", "key", _count(keys, "key"), keys)
    secrets = len(secret_names(topology))
    yield _always("Secrets Manager", "secret", _count(secrets, "secret"), secrets)
    repositories = holds.count("AWS::ECR::Repository")
    kept = repositories * assumed.image_gb
    yield _always("ECR storage", "image-gb", f"{repositories} × {assumed.image_gb:g} GB", kept)
    for kind, figure, noun in (
        ("AWS::CloudWatch::Alarm", "alarm", "alarm"),
        ("AWS::CloudWatch::CompositeAlarm", "composite-alarm", "composite alarm"),
        ("AWS::CloudWatch::Dashboard", "dashboard", "dashboard"),
    ):
        yield _always("CloudWatch alarms", figure, _count(holds.count(kind), noun), holds.count(kind))
    vaults = 2 if topology.recovery else 1
    if holds.count("AWS::Backup::BackupPlan"):
        stored = assumed.backup_gb * vaults
        yield _always("Backups", "backup-gb", f"{assumed.backup_gb:g} GB in {_count(vaults, 'region')}", stored)


def secret_names(topology: Topology) -> frozenset[str]:
    """The secrets that services and links name."""
    named = {name for service in topology.services for name in service.secrets.values()}
    return frozenset(named | {name for link in topology.links for name in link.secret})


def _always(family: str, figure: str, what: str, quantity: float) -> _Line:
    """The same at base and at max."""
    return family, figure, what, quantity, quantity


def _logged(case: _Case, family: str, figure: str, what: str) -> _Line:
    base, most = (case.instances(of) * case.assumed.logs_gb for of in (_base, _max))
    return family, figure, f"{_span(base, most, 'GB')} {what}", base, most


def _span(base: float, most: float, unit: str) -> str:
    return f"{base:g} {unit}" if base == most else f"{base:g}..{most:g} {unit}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
