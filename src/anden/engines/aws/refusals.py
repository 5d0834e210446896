"""Where on AWS to look for what was refused: the VPC's flow logs have it, a minute or more later."""

from anden.model.ids import EnvironmentKey
from anden.model.problem import Problem, Problems

QUERY = (
    'filter action = "REJECT"'
    " | stats sum(packets) as times, min(start) as first, max(end) as last by srcAddr, dstAddr, dstPort, protocol"
    " | sort last desc | limit 200"
)
"""For CloudWatch Logs Insights (VPC user guide, "Flow log records": the default format's fields)."""


def elsewhere(key: EnvironmentKey) -> Problems:
    """That it cannot be said here yet, and the query that says it there."""
    name = f"anden-{key.client}-{key.environment}-network"
    why = "they are in the VPC's flow logs (names that do not resolve are counted by DNS Firewall's metrics only)"
    fix = f"Ask CloudWatch Logs Insights, in the log group FlowLogs of the stack {name}: {QUERY}"
    return Problems(Problem("aws", "refused attempts are not read here yet", why, fix))
