"""What is told when a link carries nothing: one alarm each, to the environment's topic. The tunnels' own states are in
`anden link status --on aws`.

A metric alarm tells by itself here: there is one cause, and one message. CloudWatch's `TunnelState` of a connection is
between 0 and 1 while one of its tunnels is down, and 0 when both are (Site-to-Site VPN user guide, "Monitor AWS
Site-to-Site VPN tunnels using Amazon CloudWatch").
"""

from anden.assess.outages import DOWN
from anden.engines.aws.render.naming import ALARMS, fitting, link_connection, place
from anden.engines.aws.render.template import Part, apart, resource
from anden.model.blueprint import Blueprint

MOST_NAME = 255
"""Characters of an alarm's name (CloudWatch API, "PutMetricAlarm")."""
PERIOD_S = 300
"""How long both have to be down: a flap is not told."""


def kind(link: str) -> str:
    """What stands behind the environment in the alarm's name."""
    return f"link-{link}-down"


def subject(link: str) -> str:
    """As people call it, and as its description begins."""
    return f"link {link}"


def part(blueprint: Blueprint) -> Part:
    """An alarm for each link. In the stack of the cluster: it knows the topic, and the network's connections."""
    where = place(blueprint.topology)
    return Part(
        {
            apart("link", link.name, "down"): resource(
                "AWS::CloudWatch::Alarm", AlarmName=fitting(f"{where}-{kind(link.name)}", MOST_NAME),
                AlarmDescription=f"{subject(link.name)}: {DOWN}", Namespace="AWS/VPN", MetricName="TunnelState",
                Dimensions=[{"Name": "VpnId", "Value": link_connection(link.name)}], Statistic="Maximum",
                Period=PERIOD_S, EvaluationPeriods=1, Threshold=0, ComparisonOperator="LessThanOrEqualToThreshold",
                TreatMissingData="breaching", AlarmActions=[ALARMS], OKActions=[ALARMS],
            )
            for link in blueprint.topology.links
        }
    )  # fmt: skip
