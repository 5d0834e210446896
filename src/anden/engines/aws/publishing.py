"""What stacks publish for each other, read."""

from botocore.exceptions import ClientError

from anden.engines.aws.errors import code, explained
from anden.engines.aws.session import Session
from anden.model.ids import EnvironmentKey


def published(session: Session, key: EnvironmentKey, region: str, name: str) -> str | None:
    """What a stack publishes, by `FAMILY/KEY`; None: it is not there. Raises Problems."""
    try:
        with explained(str(key)):
            full = f"/anden/{key.client}/{key.environment}/{name}"
            found: str = session.client("ssm", region).get_parameter(Name=full)["Parameter"]["Value"]
            return found
    except Exception as error:
        cause = error.__cause__
        if isinstance(cause, ClientError) and code(cause) == "ParameterNotFound":
            return None
        raise
