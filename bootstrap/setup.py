"""What a clone lacks, put there: packages of the distribution and the virtual environment, at the same time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bootstrap import environment, packages, stamp
from bootstrap.stamp import Place


def ensure(at: Place, argv: Sequence[str], kind: str, *, cell: bool, tests: bool = False) -> None:
    """Have the environment for `kind`, the tools of a cell if `cell`, and those of the tests if `tests`.

    argv: the words of this call, for what people are told. Raises progress.Failed; what is wrong was said.
    """
    ready = stamp.environment_ready(at, kind)
    venv = {} if ready else packages.for_environment()
    named = packages.lacking(at, cell=cell, tests=tests)
    if venv or named:
        packages.agree({**named, **venv}, argv)
    if venv:
        packages.install(venv)
    with ThreadPoolExecutor(1) as pool:
        making = None if ready else pool.submit(environment.ensure, at, kind)
        if named:
            packages.install(named)
            packages.verify(at, cell=cell, tests=tests)
        if making is not None:
            making.result()
    if cell:
        packages.remember(at)
