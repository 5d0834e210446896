"""The sizes that Fargate offers: an instance has one of these on every engine, so that the twin promises nothing else.

Source: Amazon ECS developer guide, "Fargate task definition differences", task CPU and memory.
"""

_GB = 1024
SIZES = {
    250: (512, 1 * _GB, 2 * _GB),
    500: tuple(gb * _GB for gb in range(1, 5)),
    1000: tuple(gb * _GB for gb in range(2, 9)),
    2000: tuple(gb * _GB for gb in range(4, 17)),
    4000: tuple(gb * _GB for gb in range(8, 31)),
    8000: tuple(gb * _GB for gb in range(16, 61, 4)),
    16000: tuple(gb * _GB for gb in range(32, 121, 8)),
    32000: (60 * _GB, 120 * _GB, 244 * _GB),
}
"""Thousandths of a vCPU to the amounts of memory that it comes with, in MiB, both ascending."""


def cpu_text(milli: int) -> str:
    """As the manifest writes it: `0.25`, `1`."""
    return f"{milli / 1000:g}"


def memory_text(mib: int) -> str:
    """As the manifest writes it, in AWS's words of 1,024 each: `512 MB`, `2 GB`."""
    return f"{mib // _GB} GB" if mib % _GB == 0 else f"{mib} MB"
