"""Links to the client's data centres: site-to-site VPN, two tunnels each, with static routes or by BGP.

One virtual private gateway for the VPC, which takes no second one. Its AS number is not said: AWS's default is ours
(`model.link.OUR_ASN`), and saying it would replace the gateway under links that stand. Routes to what lies behind a
link stand in the private tables only, or, with `seen-as`, in those of its own subnets (`seen_as`); nothing is
propagated, so that what is announced by BGP opens no way that was not declared. Keys come from Secrets Manager by name
and version when the stack is applied: another version is another stack, and AWS replaces that tunnel and not the
connection. They are kept there by AWS too (`PreSharedKeyStorage`), so that reading the connection does not show them.

Where certificates prove both sides the customer gateway names that of its device, and there are no keys; AWS makes the
endpoints' own, of the same authority (VPN user guide, "Tunnel authentication options").
"""

from ipaddress import IPv4Interface

from anden.engines.aws.render import seen_as
from anden.engines.aws.render.flow_logs import log_group
from anden.engines.aws.render.naming import link_key, secret_reference, seen_subnet_key
from anden.engines.aws.render.template import Json, Part, Resource, apart, att, ref, resource, sub, tags
from anden.engines.aws.render.terrain import Terrain
from anden.engines.aws.render.vpc import PRIVATE, VPC_ID, routes, way
from anden.model.blueprint import Blueprint
from anden.model.link import Encryption, Integrity, Policy, Proposals
from anden.model.topology import Link
from anden.planning.link_policies import POLICIES
from anden.planning.links import inside

GATEWAY, ATTACHED = "VpnGateway", "VpnGatewayAttached"
LOGS = "LinkLogs"
CUSTOMER_ASN = 65000
"""AWS wants a number of the peer's, also where no BGP is spoken; this is its default."""
LONGEST = 2**31 - 1
"""That `BgpAsn` takes; `BgpAsnExtended` takes those beyond."""

_SPELLED = {
    Encryption.AES256: "AES256",
    Encryption.AES256_GCM16: "AES256-GCM-16",
    Integrity.SHA256: "SHA2-256",
    Integrity.SHA384: "SHA2-384",
}
"""As the resource's properties name them."""


def options(policy: Policy) -> dict[str, Json]:
    """What both tunnels offer. AWS starts the tunnels and starts them anew: links are outbound, so the first packet is
    ours (VPN user guide, "Tunnel options")."""
    return {
        "IKEVersions": [{"Value": "ikev2"}],
        **_phase("Phase1", policy.ike),
        **_phase("Phase2", policy.esp),
        "RekeyMarginTimeSeconds": policy.rekey_margin_s,
        "RekeyFuzzPercentage": policy.rekey_fuzz_percent,
        "ReplayWindowSize": policy.replay_window,
        "DPDTimeoutAction": "restart",
        "DPDTimeoutSeconds": policy.dpd_timeout_s,
        "StartupAction": "start",
    }


def _phase(phase: str, offered: Proposals) -> dict[str, Json]:
    return {
        f"{phase}EncryptionAlgorithms": [{"Value": _SPELLED[each]} for each in offered.encryption],
        f"{phase}IntegrityAlgorithms": [{"Value": _SPELLED[each]} for each in offered.integrity],
        f"{phase}DHGroupNumbers": [{"Value": int(each)} for each in offered.groups],
        f"{phase}LifetimeSeconds": offered.lifetime_s,
    }


def part(blueprint: Blueprint, terrain: Terrain) -> Part:
    """Everything of the links; nothing without one. Publishes each connection's id, as `link-core`, and the
    subnets in which the other side dials."""
    if not terrain.links:
        return Part({})
    resources: dict[str, Resource] = {
        GATEWAY: resource("AWS::EC2::VPNGateway", Type="ipsec.1", Tags=tags(Name=terrain.name)),
        ATTACHED: resource("AWS::EC2::VPCGatewayAttachment", VpcId=ref(VPC_ID), VpnGatewayId=ref(GATEWAY)),
        LOGS: log_group(terrain, f"{terrain.name}-links"),
    }
    publishes: dict[str, Json] = {}
    for link in terrain.links:
        resources |= _connection(blueprint, terrain, link)
        publishes[link_key(link.name)] = ref(connection(link))
        if link.seen_as is None:
            resources |= _straight(terrain, link)
        else:
            resources |= seen_as.resources(blueprint, terrain, link, GATEWAY, ATTACHED)
        if terrain.entering(link.name):
            for zone, _ in seen_as.placed(terrain, link):
                publishes[seen_subnet_key(link.name, zone)] = att(seen_as.subnet(link, zone), "SubnetId")
    return Part(resources, publishes)


def connection(link: Link) -> str:
    """Logical name of the link's VPN connection."""
    return apart("link", link.name)


def _connection(blueprint: Blueprint, terrain: Terrain, link: Link) -> dict[str, Resource]:
    """What lies behind the link is not said (`LocalIpv4NetworkCidr`): AWS takes one network there, and a change of it
    would give the connection other addresses. So AWS asks for everything, and the other side narrows it to its own.
    With BGP our end is not said either: its neighbours' addresses lie in no network of ours."""
    number = terrain.numbers.get(link.name)
    name = f"{terrain.name}-{link.name}"
    peer, tunnels = apart("peer", link.name), connection(link)
    bgp = link.bgp is not None
    asn = link.bgp or CUSTOMER_ASN
    made: dict[str, Resource] = {
        peer: resource(
            "AWS::EC2::CustomerGateway", Type="ipsec.1", IpAddress=str(link.peer), Tags=tags(Name=name),
            maybe={"BgpAsnExtended" if asn > LONGEST else "BgpAsn": asn, "CertificateArn": _certificate(link)},
        ),
        tunnels: resource(
            "AWS::EC2::VPNConnection", after=[ATTACHED], Type="ipsec.1", StaticRoutesOnly=not bgp,
            CustomerGatewayId=ref(peer), VpnGatewayId=ref(GATEWAY),
            maybe={
                "PreSharedKeyStorage": None if link.certificate else "SecretsManager",
                "RemoteIpv4NetworkCidr": None if bgp else str(link.seen_as or terrain.network),
            },
            VpnTunnelOptionsSpecifications=[
                _tunnel(blueprint, link, secret, None if number is None else inside(number, tunnel, bgp=bgp))
                for tunnel, secret in enumerate(link.secret or (None,) * link.tunnels, 1)
            ],
            Tags=tags(Name=name),
        ),
    }  # fmt: skip
    for network in () if bgp else link.networks:
        made[apart("link", link.name, "carries", str(network))] = resource(
            "AWS::EC2::VPNConnectionRoute", VpnConnectionId=ref(tunnels), DestinationCidrBlock=str(network)
        )
    return made


def _certificate(link: Link) -> Json:
    """The other side's, of the stack's own account and region: no other one comes so far (limits, and
    certificate.require_linked before anything is made)."""
    if link.certificate is None:
        return None
    return sub(
        f"arn:${{AWS::Partition}}:acm:${{AWS::Region}}:${{AWS::AccountId}}:{link.certificate.rpartition(':')[2]}"
    )


def _tunnel(blueprint: Blueprint, link: Link, secret: str | None, ours: IPv4Interface | None) -> Json:
    """ours: in the tunnel. The twin has the same, and by it AWS says later which of the two is which. None: AWS
    chooses, for a blueprint that numbers no links. secret: None: certificates prove both sides."""
    logs = sub(f"arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:${{{LOGS}}}")
    log = {"LogEnabled": True, "LogGroupArn": logs, "LogOutputFormat": "json"}
    said = options(POLICIES[link.policy])
    if ours is not None:
        said["TunnelInsideCidr"] = str(ours.network)
    if secret is not None:
        said["PreSharedKey"] = secret_reference(blueprint.topology, blueprint.secret(secret))
    return {**said, "LogOptions": {"CloudwatchLogOptions": log}}


def _straight(terrain: Terrain, link: Link) -> dict[str, Resource]:
    """Without `seen-as`: from the private subnets to the gateway, with the tasks' own addresses."""
    return {
        way(zone.name, network): resource(
            "AWS::EC2::Route", after=[ATTACHED], RouteTableId=ref(routes(PRIVATE, zone.name)),
            DestinationCidrBlock=str(network), GatewayId=ref(GATEWAY),
        )
        for zone in terrain.zones
        for network in link.networks
    }  # fmt: skip
