"""`anden`: the group of commands, each imported when it is called."""

import difflib
import importlib
import os
import sys
from collections.abc import Sequence

import click

# Other packages' plug-ins have no business here, and pydantic looks through every installed one for them: 20 ms.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

import anden
from anden import cycles
from anden.cli.options import Words, common
from anden.model.problem import Problem, Problems

DONE, ERROR, USAGE, CHANGES, CANCELLED = 0, 1, 2, 3, 130
"""Exit codes; 130 is 128 + SIGINT, as shells say it."""
BROKEN_PIPE = 141
"""128 + SIGPIPE: the reader of our output left, as `head` does."""

COMMANDS = {
    "init": "Write a small manifest for the folder you stand in.",
    "check": "Read the manifest and say everything that is wrong with it.",
    "plan": "What `up` would do, and why.",
    "up": "Make what runs be what the manifest says.",
    "status": "What runs, how it is, and what is wrong with it.",
    "logs": "What instances wrote.",
    "exec": "Run a command inside an instance.",
    "deploy": "Put another image of a service in place, rolling.",
    "scale": "Move a service's level within its range.",
    "rollback": "Go back to what ran before the last change.",
    "restart": "Replace a service's instances by the same, rolling.",
    "link": "Tunnels to the client's data centre: status, up, down, test, config, invite, page.",
    "join": "Be the other side of a link, by an invitation: a real tunnel, for a rehearsal.",
    "secret": "Secrets by name: set, list, rotate, remove; values are never shown.",
    "reach": "Who reaches whom, through which hops, and why not.",
    "prove": "Prove what is declared by really trying it.",
    "refused": "What services tried and were refused.",
    "drill": "Break something on purpose under load, and show what becomes of it.",
    "render": "Write what an engine would apply into a folder, and apply nothing.",
    "cost": "What an environment would cost on AWS in a month.",
    "account": "Set up a client's account on AWS, with a plan in front of it.",
    "preflight": "What an AWS account lacks for an environment, before anything is created.",
    "history": "Who did what, when, with which outcome.",
    "state": "What is kept of a client elsewhere than on this machine, read back.",
    "down": "End an environment and leave nothing of it.",
    "trust": "Have this machine trust the certificates of the twins' gateways, or no more.",
    "doctor": "What this machine lacks.",
    "schema": "The manifest's JSON Schema, for editors.",
    "serve": "Run the control plane in the foreground, with its API on 127.0.0.1.",
    "completion": "The script that makes a shell complete anden's words.",
    "version": "The version.",
}


class Lazy(click.Group):
    """A group whose commands are imported when called: `anden version` loads nothing of the rest."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"anden.cli.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with a suggestion for a misspelt name."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            near = difflib.get_close_matches(name, COMMANDS, 1)
            hint = f" Did you mean {near[0]}?" if near else " `anden --help` lists them."
            raise click.UsageError(f"{name} is not a command.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """As click's; problems are said here, where it is known whether somebody wants JSON."""
        try:
            return super().invoke(ctx)
        except Problems as found:
            words = ctx.find_object(Words)
            say(found.problems, as_json=words is not None and words.said.json)
            return ERROR
        except BrokenPipeError:
            # Whatever is still buffered goes nowhere; without this the interpreter complains once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return BROKEN_PIPE

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="`anden COMMAND --help` says more. Data goes to stdout, progress to stderr. Exit: 0 done, 1 error, 2 usage.",
)
@click.version_option(anden.__version__, "--version", message="anden %(version)s")
@common("folder", "environment", "engine", "client", "json", "no_input", "yes")
@click.pass_context
def group(ctx: click.Context) -> None:
    """Isolated environments of microservices from one manifest: on this machine as a twin, and on AWS.

    Options may stand before a command or after it.
    """
    ctx.ensure_object(Words)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line. Returns the exit code; the console script exits with it."""
    cycles.seldom()
    try:
        code = group.main(args=None if args is None else list(args), prog_name="anden", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        sys.stderr.write("cancelled\n")
        return CANCELLED
    except KeyboardInterrupt:
        sys.stderr.write("\ncancelled\n")
        return CANCELLED
    return code if isinstance(code, int) else DONE


def say(problems: Sequence[Problem], *, as_json: bool) -> None:
    """Print problems on stderr, one a line; as JSON also where JSON was asked for."""
    from anden.cli import terminal  # noqa: PLC0415 - most commands have none
    from anden.cli.render.problems import lines  # noqa: PLC0415
    from anden.model import codec  # noqa: PLC0415

    if as_json:
        terminal.as_json({"problems": [codec.to_data(problem) for problem in problems]})
    sys.stdout.flush()
    for line in lines(problems, terminal.paint_for(sys.stderr)):
        sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
