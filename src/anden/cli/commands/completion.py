"""`anden completion`."""

import click
from click.shell_completion import get_completion_class

from anden.cli import terminal

HOW = {
    "bash": 'eval "$(anden completion bash)"    # in ~/.bashrc',
    "zsh": 'eval "$(anden completion zsh)"    # in ~/.zshrc',
    "fish": "anden completion fish > ~/.config/fish/completions/anden.fish",
}


@click.command("completion", epilog="\b\n" + "\n".join(HOW.values()))
@click.argument("shell", type=click.Choice([*HOW]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that makes SHELL complete commands, options, services and environments."""
    kind = get_completion_class(shell)
    if kind is None:  # click knows all three
        raise click.UsageError(f"{shell} has no completion here.")
    terminal.data([kind(ctx.find_root().command, {}, "anden", "_ANDEN_COMPLETE").source().rstrip()])
