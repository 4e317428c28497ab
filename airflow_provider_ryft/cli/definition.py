"""The command line: ``airflow ryft <command>`` on Airflow 3, ``python -m airflow_provider_ryft <command>`` anywhere.

The commands are in one table, of which each of the two makes its own parser. What a command does is imported when it
runs, because every ``airflow`` command reads the table.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from airflow_provider_ryft import __version__
from airflow_provider_ryft.exceptions import RyftError

DEFAULT_PORT = 8089


class Option:
    """An argument of a command, as :meth:`argparse.ArgumentParser.add_argument` takes it."""

    def __init__(self, *flags: str, **settings: Any) -> None:
        self.flags = flags
        self.settings = settings


@dataclass(frozen=True)
class Command:
    """A command, or a group of commands.

    :param name: what to type
    :param help: what it does, in half a sentence
    :param function: ``module:function`` in :mod:`airflow_provider_ryft.cli`; empty for a group
    :param options: its arguments
    :param commands: of a group
    """

    name: str
    help: str
    function: str = ""
    options: Sequence[Option] = ()
    commands: Sequence[Command] = field(default=())

    @property
    def title(self) -> str:
        """What it does, as a sentence begins."""
        return self.help[:1].upper() + self.help[1:]

    def run(self, arguments: argparse.Namespace) -> int:
        """Run it; return the exit code: 0 done, 1 failed, 2 asked for wrongly.

        A command prints to ``arguments.out``. What Airflow 2.11 logs to standard output goes to standard error, so that
        a program can read the rest.
        """
        module, _, name = self.function.partition(":")
        arguments.out = sys.stdout
        try:
            with redirect_stdout(sys.stderr):
                code: int = getattr(import_module(f"airflow_provider_ryft.cli.{module}"), name)(arguments)
        except (RyftError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        return code


_PATH = Option("--path", metavar="PLACE", help="the outbox, a folder or a URL; that of [ryft] outbox_path if not given")
_CONN_ID = Option("--conn-id", metavar="ID", help="the connection to Ryft; that of [ryft] conn_id if not given")
_OUTPUT = Option("--output", choices=("table", "json", "yaml"), default="table", help="how to show it")

COMMANDS = (
    Command(
        "sandbox",
        "run a stand-in for the Ingest API on loopback",
        "sandbox_command:run",
        (
            Option("--port", type=int, default=DEFAULT_PORT, help=f"0 takes a free one (default: {DEFAULT_PORT})"),
            Option(
                "--token",
                default=os.environ.get("RYFT_SANDBOX_TOKEN") or None,
                help="the only token to accept; RYFT_SANDBOX_TOKEN in the environment, otherwise any",
            ),
            Option("--db", default=":memory:", metavar="FILE", help="keep what is accepted in this SQLite file"),
            Option(
                "--fault",
                action="append",
                default=[],
                metavar="JSON",
                help='misbehave, such as \'{"status": 503, "retry_after": "2", "times": 3}\'; may be repeated',
            ),
        ),
    ),
    Command("check", "say whether this machine would report", "check_command:run", (_PATH, _CONN_ID, _OUTPUT)),
    Command(
        "outbox",
        "look after the queries that are yet to be delivered",
        commands=(
            Command("list", "show what is in it", "outbox_command:list_contents", (_PATH, _OUTPUT)),
            Command(
                "ship",
                "send what is in it",
                "outbox_command:ship",
                (
                    _PATH,
                    _CONN_ID,
                    Option("--timeout", type=float, default=300.0, metavar="SECONDS", help="for all of it"),
                    Option("--force", action="store_true", help="send even if the circuit breaker is open"),
                    Option("--watch", action="store_true", help="go on until SIGTERM"),
                    Option("--every", type=float, default=10.0, metavar="SECONDS", help="between two looks of --watch"),
                ),
            ),
            Command(
                "dead",
                "show what the server refused",
                "outbox_command:list_dead",
                (_PATH, _OUTPUT, Option("--limit", type=int, default=100, help="how many, the newest")),
            ),
            Command("retry-dead", "make what was refused ready to send again", "outbox_command:retry_dead", (_PATH,)),
            Command(
                "purge",
                "throw queries away",
                "outbox_command:purge",
                (
                    Option("place", choices=("ready", "dead"), help="those that wait, or those that were refused"),
                    _PATH,
                    Option("--yes", action="store_true", help="do not ask"),
                ),
            ),
        ),
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    :param argv: the arguments after the program's name; those of the process when not given
    :return: the exit code: 0 done, 1 failed, 2 asked for wrongly
    """
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_ryft", description="Look after the Ryft provider."
    )
    parser.add_argument("--version", action="version", version=__version__)
    _add(parser, COMMANDS)
    arguments = parser.parse_args(argv)
    command: Command = arguments.command
    return command.run(arguments)


def _add(parser: argparse.ArgumentParser, commands: Sequence[Command]) -> None:
    group = parser.add_subparsers(required=True, metavar="command")
    for command in commands:
        own = group.add_parser(command.name, help=command.help, description=f"{command.title}.")
        if command.commands:
            _add(own, command.commands)
            continue
        for option in command.options:
            own.add_argument(*option.flags, **option.settings)
        own.set_defaults(command=command)


def airflow_commands() -> list[Any]:
    """Return ``airflow ryft`` as Airflow 3 takes it from a provider (``CLICommand`` of ``airflow.cli.cli_config``)."""
    from airflow.cli.cli_config import GroupCommand

    return [GroupCommand(name="ryft", help="Look after the Ryft provider", subcommands=_for_airflow(COMMANDS))]


def _for_airflow(commands: Sequence[Command]) -> list[Any]:
    from airflow.cli import cli_config

    make: Any = cli_config  # which is not typed
    made: list[Any] = []
    for command in commands:
        if command.commands:
            made.append(make.GroupCommand(command.name, command.title, _for_airflow(command.commands)))
            continue
        options = [make.Arg(flags=option.flags, **option.settings) for option in command.options]
        made.append(make.ActionCommand(command.name, command.title, _exiting(command), options))
    return made


def _exiting(command: Command) -> Callable[[argparse.Namespace], None]:
    """Return a function that runs a command for Airflow, which ignores what the function returns."""

    def run(arguments: argparse.Namespace) -> None:
        code = command.run(arguments)
        if code:
            raise SystemExit(code)

    return run
