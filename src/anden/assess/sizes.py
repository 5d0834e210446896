"""Advice on the next size."""

from anden.model.fargate import SIZES
from anden.model.topology import Size


def more_memory(size: Size) -> Size | None:
    """The next size with more memory: at the same CPU where there is one, else at the next; None past the largest."""
    for cpu in SIZES:
        for memory in SIZES[cpu]:
            if cpu >= size.cpu_milli and memory > size.memory_mib:
                return Size(cpu, memory)
    return None
