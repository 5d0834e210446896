"""The aws engine. For now only what it will do otherwise than the twin, which `plan --on aws` prints."""

from anden.engines.aws.caveats import caveats
from anden.engines.aws.engine import AwsEngine
from anden.engines.aws.foresight import estimate_of, preflight_of

__all__ = ["AwsEngine", "caveats", "estimate_of", "preflight_of"]
