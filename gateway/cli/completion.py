"""`gateway completion`: the script that makes a shell complete our commands."""

import click
from click.shell_completion import get_completion_class

from gateway.cli import root


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print a completion script.

    For bash, put this into ~/.bashrc: eval "$(gateway completion bash)".
    """
    completion = get_completion_class(shell)
    assert completion is not None  # click ships all three
    click.echo(completion(root, {}, "gateway", "_GATEWAY_COMPLETE").source())
