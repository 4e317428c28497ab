"""``sandbox``: run a stand-in for the Ingest API on loopback."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from queue import SimpleQueue

from airflow_provider_ryft.exceptions import ConfigurationError
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from airflow_provider_ryft.sandbox.state import Request


def run(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT; 2 if a fault is not one."""
    try:
        faults = [Fault.from_mapping(json.loads(text)) for text in arguments.fault]
    except json.JSONDecodeError as error:
        print(f"error: --fault: {error.doc!r} is not JSON: {error}", file=sys.stderr)
        return 2
    except ConfigurationError as error:
        print(f"error: --fault: {error}", file=sys.stderr)
        return 2
    signals: SimpleQueue[int] = SimpleQueue()  # unlike an Event, safe to use in a handler that interrupts its wait
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: signals.put(received))
    with Sandbox(token=arguments.token, port=arguments.port, db=arguments.db, on_request=_print_request) as sandbox:
        sandbox.faults.set(*faults)
        print(_greeting(sandbox, has_token=arguments.token is not None), file=arguments.out, flush=True)
        signals.get()
    return 0


def _greeting(sandbox: Sandbox, *, has_token: bool) -> str:
    password = "the token that you gave" if has_token else "any"
    connection = json.dumps({"conn_type": "ryft", "host": sandbox.url, "password": password})
    return (
        f"The sandbox listens at {sandbox.url} (a page; /queries is JSON). Point Airflow at it with\n"
        f"  export AIRFLOW_CONN_RYFT_DEFAULT='{connection}'"
    )


def _print_request(request: Request) -> None:
    status = "no answer" if request.status is None else int(request.status)
    queries = "1 query" if request.queries == 1 else f"{request.queries} queries"
    print(f"{queries}, {request.length} bytes: {status}", file=sys.stderr, flush=True)
