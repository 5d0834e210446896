"""What outlives an environment: its fixed addresses and its key, each in a stack of its own. What they are, and what
they cost.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address

from anden.engines.aws import tables
from anden.engines.aws.cost import HOURS
from anden.engines.aws.errors import explained
from anden.engines.aws.render import naming
from anden.engines.aws.render.keys import WAITING_DAYS
from anden.engines.aws.session import Session
from anden.model.ids import EnvironmentKey
from anden.model.stack import Kept
from anden.model.topology import Egress, Topology
from anden.planning.addressing import ZONE_NAMES


def published(session: Session, key: EnvironmentKey, region: str) -> Mapping[str, str]:
    """What the stacks that outlive the environment publish, by `FAMILY/KEY`. In one call. Raises Problems."""
    names = [f"{naming.fixed_address(zone).family}/{naming.fixed_address(zone).key}" for zone in ZONE_NAMES]
    names.append(f"{naming.KEYS}/{naming.KEY.key}")
    space = f"/anden/{key.client}/{key.environment}/"
    with explained(str(key)):
        found = session.client("ssm", region).get_parameters(Names=[space + name for name in names])["Parameters"]
    return {each["Name"].removeprefix(space): each["Value"] for each in found}


def egress(known: Mapping[str, str], topology: Topology | None) -> Mapping[str, IPv4Address]:
    """Zone to the fixed address from which it leaves, as far as there is one; `*` where one serves them all. topology:
    what the environment is meant to be; None: nobody has said, and every address counts."""
    found: dict[str, IPv4Address] = {
        str(zone): IPv4Address(known[name])
        for zone in ZONE_NAMES
        if (name := f"{naming.address_family(zone)}/{naming.fixed_address(zone).key}") in known
    }
    if topology is None:
        return found
    if topology.egress is Egress.ONE:
        return {"*": found[ZONE_NAMES[0]]} if ZONE_NAMES[0] in found else {}
    wanted = ZONE_NAMES[: topology.zones] if topology.egress is Egress.PER_ZONE else ()
    return {zone: found[zone] for zone in wanted if zone in found}


def kept(family: str, known: Mapping[str, str], region: str) -> Kept | None:
    """What a stack of that family keeps; None: it goes with the environment."""
    if not naming.outlives(family):
        return None
    prices = tables.prices().regions.get(region, {})
    if family == naming.KEYS:
        name = known.get(f"{family}/{naming.KEY.key}", "").rpartition("/")[2]
        back = f"for {WAITING_DAYS} days `aws kms cancel-key-deletion --key-id {name or 'KEY'}` keeps it"
        return Kept(family, f"KMS key {name}".strip(), prices.get("key"), back)
    address = known.get(f"{family}/{naming.fixed_address(family.removeprefix('address-')).key}")
    hourly = prices.get("address")
    return Kept(family, address or "a fixed address", round(hourly * HOURS, 2) if hourly is not None else None)
