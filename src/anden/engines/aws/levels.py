"""How many instances a service runs, as ECS has it, and what was last said of it (a tag on the ECS service)."""

from typing import Any

from botocore.exceptions import ClientError

from anden.engines.aws.errors import code, explained
from anden.engines.aws.session import SOME_REGION, Session
from anden.model.ids import EnvironmentKey
from anden.model.problem import Problem, Problems

LEVEL = "anden:level"


def cluster(session: Session, key: EnvironmentKey, region: str) -> str | None:
    """The environment's ECS cluster, as its edge stack publishes it; None: there is none yet."""
    try:
        with explained(f"{key}"):
            name = f"/anden/{key.client}/{key.environment}/edge/cluster"
            found: str = session.client("ssm", region).get_parameter(Name=name)["Parameter"]["Value"]
            return found
    except Problems as problems:
        if isinstance(problems.__cause__, ClientError) and code(problems.__cause__) == "ParameterNotFound":
            return None
        raise


def say(session: Session, key: EnvironmentKey, service: str, level: int, region: str | None = None) -> None:
    """Let it run that many from now on. The tag comes last: without it the step is done again. Raises Problems."""
    where = region or session.region or SOME_REGION
    its = cluster(session, key, where)
    if its is None:
        why = "the environment's cluster is not made yet"
        raise Problems(Problem(f"service {service}", "has no level yet", why, "Run `anden up` first."))
    client: Any = session.client("ecs", where)
    with explained(f"service {service}"):
        changed = client.update_service(cluster=its, service=service, desiredCount=level)["service"]
        client.tag_resource(resourceArn=changed["serviceArn"], tags=[{"key": LEVEL, "value": str(level)}])
