"""Options that mean the same everywhere, before the command's name or after it."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from anden.model.ids import EngineName

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass
class Said:
    """What was said by options. None and False: nothing was said."""

    folder: Path | None = None
    environment: str | None = None
    engine: str | None = None
    client: str | None = None
    json: bool = False
    no_input: bool = False
    yes: bool = False

    def onto(self, before: "Said") -> "Said":
        """What this says, and what was said before where this says nothing."""
        return replace(before, **{each.name: value for each in fields(self) if (value := getattr(self, each.name))})

    @property
    def on(self) -> EngineName:
        """The engine: `local` unless another was named."""
        return EngineName(self.engine or EngineName.LOCAL)


@dataclass
class Words:
    """click's context object: `said` so far."""

    said: Said = field(default_factory=Said)


PREFIX = "said_"
"""Of the parameters' names, so that a command may have an argument of the same name."""


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    given = param.name is not None and ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE
    if given and param.name is not None:
        setattr(ctx.ensure_object(Words).said, param.name.removeprefix(PREFIX), value)
    return value


def _environments(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from anden.cli import completion  # noqa: PLC0415 - only when somebody presses Tab

    return completion.environments(ctx, incomplete)


def _option(*names: str, **attributes: Any) -> Callable[[Function], Function]:
    return click.option(*names, callback=_keep, expose_value=False, **attributes)


_OPTIONS: dict[str, Callable[[Any], Any]] = {
    "folder": _option(
        "-C", "said_folder", metavar="FOLDER", type=click.Path(path_type=Path), is_eager=True,
        help="The folder of the manifest (anden.yaml); the current one by default.",
    ),
    "environment": _option(
        "-e", "--environment", "said_environment", metavar="ENVIRONMENT", shell_complete=_environments,
        help="By default the only one, else the first that is not production.",
    ),
    "engine": _option(
        "--on", "said_engine", type=click.Choice([each.value for each in EngineName]),
        help="The engine; local by default.",
    ),
    "client": _option(
        "--client", "said_client", metavar="NAME",
        help="The client, where the folder of its manifest is gone; needs -e as well.",
    ),
    "json": _option("--json", "said_json", is_flag=True, help="Print the report as JSON on stdout."),
    "no_input": _option("--no-input", "said_no_input", is_flag=True, help="Never ask; fail and say what decides."),
    "yes": _option("--yes", "-y", "said_yes", is_flag=True, help="Answer every question with yes."),
}  # fmt: skip


def common(*names: str) -> Callable[[Function], Function]:
    """Add these options of `Said`, by field name, to a command."""

    def add(function: Function) -> Function:
        for name in reversed(names):
            function = _OPTIONS[name](function)
        return function

    return add


PLACE = ("folder", "environment", "engine", "client", "json")
"""What every command about an environment takes."""
