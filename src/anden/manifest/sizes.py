"""The sizes of an instance: those that Fargate offers, and no others."""

import re
from collections.abc import Sequence
from itertools import pairwise

from anden.manifest.faults import Wrong
from anden.manifest.figures import FIGURE
from anden.manifest.node import Scalar
from anden.manifest.record import Field, Record, Said
from anden.manifest.shape import Leaf
from anden.manifest.wording import listed
from anden.model.fargate import SIZES, cpu_text, memory_text
from anden.model.topology import Size

_GB = 1024


def _cpu(scalar: Scalar) -> int:
    if re.fullmatch(r"(?:[0-9]{1,5})?\.?[0-9]{1,5}", scalar.text):
        milli = round(float(scalar.text) * 1000)
        if milli in SIZES:
            return milli
        raise Wrong(meant=cpu_text(_meant_cpu(milli)))
    thousandths = re.fullmatch(r"([0-9]{1,6})m", scalar.text)
    words = re.fullmatch(rf"({FIGURE}) ?v?(?:cpu|CPU|core|cores)s?", scalar.text)
    if thousandths or words:
        milli = int(thousandths[1]) if thousandths else round(float(words[1]) * 1000) if words else 0
        raise Wrong(meant=cpu_text(_meant_cpu(milli)))
    raise Wrong


def _meant_cpu(milli: int) -> int:
    """The CPU size nearest to what was written; ECS's own units (256 is a quarter) are understood."""
    if milli // 1000 in (256, 512, 1024, 2048, 4096, 8192, 16384, 32768):
        milli = milli // _GB
    return min(SIZES, key=lambda offered: (abs(offered - milli), offered))


CPU = Leaf(
    "a CPU size",
    f"Fargate offers {listed(map(cpu_text, SIZES))} CPU",
    "0.25",
    _cpu,
    {"enum": [milli / 1000 if milli % 1000 else milli // 1000 for milli in SIZES]},
)


def _memory(scalar: Scalar) -> int:
    found = re.fullmatch(rf"({FIGURE}) ?(MB|MiB|GB|GiB)", scalar.text)
    if found is None:
        spelt = re.fullmatch(rf"({FIGURE}) ?([MmGg])?[iI]?[bB]?", scalar.text)
        if spelt is None:
            raise Wrong
        unit = spelt[2].upper() if spelt[2] else "M" if float(spelt[1]) >= 256 else "G"
        raise Wrong(meant=f"{spelt[1]} {unit}B")
    mib = round(float(found[1]) * (_GB if found[2].startswith("G") else 1))
    if not 1 <= mib <= 244 * _GB:
        raise Wrong
    return mib


MEMORY = Leaf(
    "an amount of memory",
    "memory is 512 MB to 244 GB, with its unit",
    "2 GB",
    _memory,
    {"type": "string", "pattern": rf"^{FIGURE} ?(?:MB|MiB|GB|GiB)$"},
)


def _size(said: Said) -> Size:
    cpu, memory = said.get("cpu"), said.get("memory")
    if cpu is None and memory is None:
        return Size()
    if memory is None:
        return Size(cpu, SIZES[cpu][0])
    if cpu is None:
        cpu = next((each for each, offered in SIZES.items() if memory in offered), None)
        if cpu is None:
            every = sorted({each for offered in SIZES.values() for each in offered})
            raise Wrong(
                f"Use memory: {memory_text(_at_least(memory, every))}.",
                what=f"Fargate offers no size with {memory_text(memory)}",
                why="sizes come in steps",
            )
        return Size(cpu, memory)
    offered = SIZES[cpu]
    if memory in offered:
        return Size(cpu, memory)
    others = [each for each, sizes in SIZES.items() if memory in sizes]
    other = min(others, key=lambda each: abs(each - cpu), default=None)
    raise Wrong(
        f"Use memory: {memory_text(_at_least(memory, offered))}" + (f", or cpu: {cpu_text(other)}." if other else "."),
        what=f"Fargate offers no size of {cpu_text(cpu)} CPU with {memory_text(memory)}",
        why=f"with {cpu_text(cpu)} CPU it offers {_offers(offered)}",
    )


def _at_least(memory: int, offered: Sequence[int]) -> int:
    return next((each for each in offered if each >= memory), offered[-1])


def _offers(offered: tuple[int, ...]) -> str:
    steps = {after - before for before, after in pairwise(offered)}
    if len(steps) > 1 or len(offered) < 4:
        return listed(map(memory_text, offered))
    step = next(iter(steps))
    by = "" if step == _GB else f" by {memory_text(step)}"
    return f"{memory_text(offered[0])} to {memory_text(offered[-1])}{by}"


SIZE = Record(
    "size",
    "a size",
    (
        Field("cpu", CPU, "vCPU; absent: the least that Fargate offers with the memory."),
        Field("memory", MEMORY, "Memory with its unit, as `2 GB`; absent: the least with the CPU."),
    ),
    "{ cpu: 1, memory: 2 GB }",
    build=_size,
)
