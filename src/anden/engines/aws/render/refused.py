"""What was refused, on record: flows that the VPC's interfaces rejected, and questions that DNS Firewall blocked.

Beside the flow logs of everything (`flow_logs`): a log of what was rejected alone is short enough to be read as it is.
It says which ECS service an interface belongs to, also when its task is gone.
"""

from anden.engines.aws.render.flow_logs import INTERVAL_S, ROLE
from anden.engines.aws.render.naming import log_group
from anden.engines.aws.render.template import Json, Part, Resource, att, ref, resource, tags
from anden.engines.aws.render.terrain import Terrain
from anden.engines.aws.render.vpc import VPC_ID
from anden.model.topology import Topology

KEPT_DAYS = 7
"""How long either is kept: the newest day is shown."""
FIELDS = (
    "ecs-service-name", "flow-direction", "srcaddr", "dstaddr", "dstport", "protocol", "packets", "start", "end",
    "action",
)  # fmt: skip
"""Of a line, in this order (VPC user guide, "Flow log records"; those of ECS are of version 7)."""
FLOWS, NAMES = "refused/flows", "refused/names"
"""What the log groups are called, in the environment's space: below it with a slash is no service's."""
FLOWS_LOG, NAMES_LOG = "RefusedFlows", "RefusedNames"
LONGEST_NAME = 64
"""Characters of a query log's name (Route 53 Resolver API, "CreateResolverQueryLogConfig")."""


def part(topology: Topology, terrain: Terrain) -> Part:
    """Both logs, and what writes them."""
    name = f"{terrain.name}-refused"
    written = " ".join(f"${{{field}}}" for field in FIELDS)
    resources: dict[str, Resource] = {
        FLOWS_LOG: _group(topology, FLOWS, name),
        "RefusedFlowLog": resource(
            "AWS::EC2::FlowLog", ResourceType="VPC", ResourceId=ref(VPC_ID), TrafficType="REJECT",
            LogDestinationType="cloud-watch-logs", LogGroupName=ref(FLOWS_LOG), MaxAggregationInterval=INTERVAL_S,
            LogFormat=written, DeliverLogsPermissionArn=att(ROLE, "Arn"), Tags=tags(Name=name),
        ),
        NAMES_LOG: _group(topology, NAMES, name),
        "NamesLog": resource(
            "AWS::Route53Resolver::ResolverQueryLoggingConfig", Name=name[:LONGEST_NAME],
            DestinationArn=att(NAMES_LOG, "Arn"), Tags=tags(Name=name),
        ),
        "NamesLogged": resource(
            "AWS::Route53Resolver::ResolverQueryLoggingConfigAssociation",
            ResolverQueryLogConfigId=att("NamesLog", "Id"), ResourceId=ref(VPC_ID),
        ),
    }  # fmt: skip
    return Part(resources)


def writable() -> Json:
    """What the role of flow logs may write to beside its own."""
    return att(FLOWS_LOG, "Arn")


def _group(topology: Topology, which: str, name: str) -> Resource:
    return resource(
        "AWS::Logs::LogGroup", LogGroupName=log_group(topology, which), RetentionInDays=KEPT_DAYS, Tags=tags(Name=name)
    )
