"""The command line: ``python -m airflow_provider_ryft <command>``.

Each command is imported when it runs, so that asking for help needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING

from airflow_provider_ryft import __version__
from airflow_provider_ryft.exceptions import RyftError

if TYPE_CHECKING:
    from airflow_provider_ryft.sandbox.server import Request, Sandbox

DEFAULT_PORT = 8089


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    :param argv: the words after the program's name; those of the process when not given
    :return: the exit code: 0 done, 1 failed, 2 asked for wrongly
    """
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except (RyftError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_ryft", description="Look after the Ryft provider."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_sandbox(commands.add_parser("sandbox", help="run a stand-in for the Ingest API on loopback"))
    return parser


def _add_sandbox(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"0 takes a free one (default: {DEFAULT_PORT})")
    parser.add_argument(
        "--token",
        default=os.environ.get("RYFT_SANDBOX_TOKEN"),
        help="the only token to accept; RYFT_SANDBOX_TOKEN in the environment, otherwise any",
    )
    parser.add_argument("--db", default=":memory:", metavar="FILE", help="keep what is accepted in this SQLite file")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="JSON",
        help="""misbehave, such as '{"status": 503, "retry_after": "2", "times": 3}'; may be given several times""",
    )
    parser.set_defaults(run=_run_sandbox)


def _run_sandbox(arguments: argparse.Namespace) -> int:
    from airflow_provider_ryft.sandbox.faults import Fault
    from airflow_provider_ryft.sandbox.server import Sandbox

    try:
        faults = [Fault.from_mapping(json.loads(text)) for text in arguments.fault]
    except ValueError as error:
        print(f"error: --fault: {error}", file=sys.stderr)
        return 2
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    with Sandbox(token=arguments.token, port=arguments.port, db=arguments.db, on_request=_tell) as sandbox:
        sandbox.faults.set(*faults)
        print(_greeting(sandbox, has_token=arguments.token is not None), flush=True)
        stop.wait()
    return 0


def _greeting(sandbox: Sandbox, *, has_token: bool) -> str:
    password = "the token that you gave" if has_token else "any"
    connection = json.dumps({"conn_type": "ryft", "host": sandbox.url, "password": password})
    return (
        f"The sandbox listens at {sandbox.url} (a page; /queries is JSON). Point Airflow at it with\n"
        f"  export AIRFLOW_CONN_RYFT_DEFAULT='{connection}'"
    )


def _tell(request: Request) -> None:
    status = "no answer" if request.status is None else int(request.status)
    print(f"{request.queries} queries, {request.length} bytes: {status}", file=sys.stderr, flush=True)
