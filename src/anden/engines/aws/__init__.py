"""The aws engine: the blueprint as CloudFormation stacks, made and seen through AWS's APIs."""

from anden.engines.aws.caveats import caveats
from anden.engines.aws.engine import AwsEngine
from anden.engines.aws.foresight import estimate_of, preflight_of

__all__ = ["AwsEngine", "caveats", "estimate_of", "preflight_of"]
