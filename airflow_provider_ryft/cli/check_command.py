"""``check``: whether this machine would report, and what to do if it would not."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import NamedTuple

from airflow_provider_ryft import settings
from airflow_provider_ryft.cli.outbox_command import open_outbox
from airflow_provider_ryft.cli.output import ago, duration, show, size
from airflow_provider_ryft.outbox.outbox import BaseOutbox
from airflow_provider_ryft.settings import Settings, is_url

PLUGIN = "ryft"


class CheckResult(NamedTuple):
    """What a check found."""

    check: str  # what was looked at
    ok: bool  # whether it is as it should be
    detail: str  # what was found, and what to do if it is not


def run(arguments: argparse.Namespace) -> int:
    """Show the result of each check; 0 if this machine would report, 1 if not."""
    results = list(_results(settings.read(), open_outbox(arguments), arguments.conn_id))
    is_good = all(result.ok for result in results)
    rows = [{"": "ok" if result.ok else "FAILED", "check": result.check, "found": result.detail} for result in results]
    show(arguments, {"ok": is_good, "checks": [result._asdict() for result in results]}, rows)
    return 0 if is_good else 1


def _results(options: Settings, outbox: BaseOutbox, conn_id: str | None) -> Iterator[CheckResult]:
    """Yield the result of each check; an unexpected error in one is its result."""
    conn_id = conn_id or options.conn_id
    checks: list[tuple[str, Callable[[], tuple[bool, str]]]] = [
        ("plugin loaded", _plugin),
        ("listener on", lambda: _listener(options)),
        ("connection found", lambda: _connection(conn_id)),
        ("address reachable, token accepted", lambda: _server(conn_id)),
        ("outbox writable", lambda: _outbox(outbox, options)),
        ("circuit breaker closed", lambda: _breaker(outbox)),
        ("last success", lambda: _last_success(outbox)),
    ]
    for name, check in checks:
        try:
            ok, detail = check()
        except Exception as error:  # whose message may hold anything
            ok, detail = False, f"the check itself failed with {type(error).__name__}"
        yield CheckResult(name, ok, detail)


def _plugin() -> tuple[bool, str]:
    if not any(entry.name == PLUGIN for entry in entry_points(group="airflow.plugins")):
        return False, "its entry point is not installed: run pip install airflow-provider-ryft in this environment"
    from airflow_provider_ryft.plugins.ryft import RyftPlugin

    return True, f"plugin {RyftPlugin.name}"


def _listener(options: Settings) -> tuple[bool, str]:
    if options.disabled:
        return False, "[ryft] disabled is set: unset it to report"
    note = "; only what enable_ryft() marks, as [ryft] selective_enable says" if options.selective_enable else ""
    return True, f"delivery is {options.delivery}{note}"


def _connection(conn_id: str) -> tuple[bool, str]:
    from airflow.providers.common.compat.sdk import BaseHook

    try:
        connection = BaseHook.get_connection(conn_id)
    except Exception as error:
        return False, (
            f"{conn_id} was not found ({type(error).__name__}): "
            "add it, with type ryft and the ingest token as its password"
        )
    if connection.conn_type != "ryft":
        return False, f"{conn_id} is of type {connection.conn_type}: make it one of type ryft"
    return True, conn_id


def _server(conn_id: str) -> tuple[bool, str]:
    from airflow_provider_ryft.hooks.ryft import RyftIngestHook

    return RyftIngestHook(conn_id).test_connection()


def _outbox(outbox: BaseOutbox, options: Settings) -> tuple[bool, str]:
    if not is_url(outbox.path) and not os.path.isdir(outbox.path):
        # It is not made here: another user than that of the tasks may run this command.
        return True, f"{outbox.path} is not there yet; the first task that runs SQL makes it"
    problem = outbox.try_writing()
    if problem:
        return False, problem
    stats = outbox.stats()
    used = stats.ready.bytes + stats.claimed.bytes
    dead = f"; {stats.dead.queries} were refused: see outbox dead" if stats.dead.queries else ""
    return True, (
        f"{outbox.path}: {stats.ready.queries} queries wait, {size(used)} of {size(options.outbox_max_bytes)}{dead}"
    )


def _breaker(outbox: BaseOutbox) -> tuple[bool, str]:
    stats = outbox.stats()
    if stats.remaining_pause:
        return False, f"it is open for {duration(stats.remaining_pause)}, because: {stats.state.breaker.reason}"
    return True, "queries may be sent"


def _last_success(outbox: BaseOutbox) -> tuple[bool, str]:
    last = outbox.stats().state.last_success
    return True, ago(time.time() - last) if last else "none yet from this machine"
