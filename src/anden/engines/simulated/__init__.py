"""The simulated engine: in memory, in virtual time, on any system. For tests, what-if, and `--on simulated`."""

from anden.engines.simulated.clock import VirtualClock
from anden.engines.simulated.engine import SimulatedEngine
from anden.engines.simulated.images import SimulatedImages

__all__ = ["SimulatedEngine", "SimulatedImages", "VirtualClock"]
