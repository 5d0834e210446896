"""How an environment behaves where the twin is kinder than AWS: the twin's own manners, and AWS's (`--as aws`).

Every figure of AWS has its source in SOURCES. `docs/parity.md` shows the same figures; a test compares the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from anden.model import codec
from anden.model.instance import Instance


@dataclass(frozen=True, slots=True)
class Manners:
    """The figures that an engine obeys; `_s` is seconds.

    name: what people say after `--as`. retries: how often the balancer tries another instance when one fails it; with
    0, a request that meets a failing instance fails. idle_s: a client's connection to the balancer may be silent for
    this long. answer_s: the most that an instance's answer is waited for, whatever its service's `timeout` says; None:
    what that says. nat_idle_s: a flow to the internet may be silent for this long, and then meets a reset; None: for
    ever. header_bytes: the longest line of a request's headers; None: whatever fits into the balancer's buffer.
    """

    name: str
    retries: int
    idle_s: float
    answer_s: float | None
    nat_idle_s: float | None
    header_bytes: int | None
    drain_s: float | None
    """How long an instance that is told to go may finish what is in flight; None: its service's own `timeout`."""
    stop_limit_s: float | None
    """The most from SIGTERM to SIGKILL, whatever the service says; None: what it says."""
    fails_open: bool
    """When no instance of a service is healthy, requests go to all of them; otherwise they are answered 503."""
    launch_s: tuple[float, float]
    """The least and the most from asking for an instance to the start of its process."""
    name_addresses: int
    """How many addresses an internal name has, 1 or 2; answers give all of them, in turn a different one first."""
    name_ttl_s: int
    """How long an answer for an internal name may be kept."""

    def launch_delay_s(self, instance: Instance) -> float:
        """From asking for this instance to the start of its process. Spread over the range by the instance's revision:
        the same plan twice gives the same figure, and instances that are asked for together do not come together."""
        least, most = self.launch_s
        if most <= 0:
            return 0.0
        share = int(codec.digest([instance.id, instance.revision]).removeprefix("sha256:")[:8], 16) / 0xFFFFFFFF
        return round(least + share * (most - least), 1)


TWIN = Manners(
    name="twin",
    retries=3,
    idle_s=60.0,
    answer_s=None,
    nat_idle_s=None,
    header_bytes=None,
    drain_s=None,
    stop_limit_s=None,
    fails_open=False,
    launch_s=(0.0, 0.0),
    name_addresses=1,
    name_ttl_s=10,
)
"""The twin's own: what makes a machine good to work on."""

AWS = Manners(
    name="aws",
    retries=0,
    idle_s=60.0,
    answer_s=60.0,
    nat_idle_s=350.0,
    header_bytes=16_384,
    drain_s=300.0,
    stop_limit_s=120.0,
    fails_open=True,
    launch_s=(30.0, 60.0),
    name_addresses=2,
    name_ttl_s=60,
)
"""AWS's, as SOURCES has them."""

BY_NAME: Mapping[str, Manners] = {manners.name: manners for manners in (TWIN, AWS)}

SOURCES: Mapping[str, str] = {
    "retries": "Elastic Load Balancing, Troubleshoot your Application Load Balancers (HTTP 502, HTTP 504)",
    "idle_s": "Elastic Load Balancing, Edit attributes for your Application Load Balancer (connection idle timeout)",
    "answer_s": "Elastic Load Balancing, Troubleshoot your Application Load Balancers (HTTP 504)",
    "nat_idle_s": "Amazon VPC, Troubleshoot NAT gateways (internet connection drops after 350 seconds)",
    "header_bytes": "Elastic Load Balancing, Quotas for your Application Load Balancers (HTTP headers)",
    "drain_s": "Elastic Load Balancing, Edit target group attributes for your Application Load Balancer",
    "stop_limit_s": "Amazon ECS, ContainerDefinition (stopTimeout)",
    "fails_open": "Elastic Load Balancing, Health checks for Application Load Balancer target groups",
    "launch_s": "none that AWS publishes: what the design takes for a Fargate task of a small image",
    "name_addresses": "Elastic Load Balancing, How Elastic Load Balancing works (request routing)",
    "name_ttl_s": "Elastic Load Balancing, How Elastic Load Balancing works (request routing)",
}
"""Field of Manners to the page of AWS's documentation that has its figure."""


def label(key: object, name: str) -> str:
    """What people see for an environment with manners of that name: `banco-andino/production, twin as aws`."""
    return str(key) if name == TWIN.name else f"{key} as {name}"
