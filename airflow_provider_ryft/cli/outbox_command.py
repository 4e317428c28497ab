"""``outbox``: show what is in the outbox of this machine, send it, and deal with what was refused."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TextIO

from airflow_provider_ryft import configured_outbox, settings
from airflow_provider_ryft.cli.output import ago, duration, show, size
from airflow_provider_ryft.exceptions import ConfigurationError
from airflow_provider_ryft.outbox.outbox import BaseOutbox
from airflow_provider_ryft.outbox.stats import FolderStats, OutboxStats
from airflow_provider_ryft.settings import is_url
from airflow_provider_ryft.shipping.shipper import ship_outbox
from airflow_provider_ryft.shipping.shipping_result import ShippingResult

if TYPE_CHECKING:
    from airflow_provider_ryft.ingest.client import IngestClient

_STEP = 2.0  # seconds of sending after which the progress is shown
_PLACES = ("running", "ready", "claimed", "dead")


def list_contents(arguments: argparse.Namespace) -> int:
    """Show what is in the outbox, and whether the circuit breaker is open."""
    outbox = open_outbox(arguments)
    stats = outbox.stats()
    if arguments.output == "table":
        print(outbox.path, file=arguments.out)
    show(arguments, _for_programs(outbox, stats), [_row(place, getattr(stats, place)) for place in _PLACES])
    if arguments.output == "table":
        for line in _state_lines(outbox, stats):
            print(line, file=arguments.out)
    return 0


def _row(place: str, contents: FolderStats) -> dict[str, Any]:
    return {
        "what": place,
        "queries": contents.queries,
        "files": contents.files,
        "bytes": size(contents.bytes),
        "oldest": ago(contents.age) if contents.files else "",
    }


def _for_programs(outbox: BaseOutbox, stats: OutboxStats) -> dict[str, Any]:
    places = {place: getattr(stats, place)._asdict() for place in _PLACES}
    state = {
        "opens_in": stats.remaining_pause,
        "reason": stats.state.breaker.reason,
        "last_success": stats.state.last_success or None,
        "counters": dict(stats.state.counters),
    }
    return {"path": outbox.path, **places, **state}


def _state_lines(outbox: BaseOutbox, stats: OutboxStats) -> Iterator[str]:
    if is_url(outbox.path):
        yield "What tasks are writing now, and what could not be put here, is on the disks of their machines."
    if stats.remaining_pause:
        yield f"The circuit breaker is open for {duration(stats.remaining_pause)}: {stats.state.breaker.reason}"
    counters = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in sorted(stats.state.counters.items()))
    if counters:
        yield f"Since it was made: {counters}."
    if outbox.disk_problem:
        yield f"Problem: {outbox.disk_problem}"


def ship(arguments: argparse.Namespace) -> int:
    """Send what is ready; 0 if nothing is left, 1 if something is."""
    outbox = open_outbox(arguments)
    connect = _connect(arguments.conn_id)
    if arguments.watch:
        return _watch(outbox, connect, arguments)
    total = _ship_all(outbox, connect, arguments.timeout, force=arguments.force)
    left = outbox.stats().ready.queries
    _print_summary(arguments.out, total, left)
    return 1 if left else 0


def _ship_all(
    outbox: BaseOutbox, connect: Callable[[], IngestClient], seconds: float, *, force: bool
) -> ShippingResult:
    """Send for at most so many seconds; on a terminal with a progress bar."""
    if not sys.stderr.isatty():
        return ship_outbox(outbox, connect, deadline=seconds, force=force)
    total = ShippingResult()
    with _progress(outbox) as advance:
        while total.seconds < seconds:
            step = ship_outbox(outbox, connect, deadline=min(_STEP, seconds - total.seconds), force=force)
            _add(total, step)
            advance()
            if step.problem or not (step.accepted or step.refused):
                break
    return total


def _add(total: ShippingResult, step: ShippingResult) -> None:
    for name in ("accepted", "refused", "requests", "bytes", "seconds"):
        setattr(total, name, getattr(total, name) + getattr(step, name))
    total.problem = step.problem


@contextmanager
def _progress(outbox: BaseOutbox) -> Iterator[Callable[[], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TextColumn("queries"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        total = outbox.stats().ready.queries
        task = progress.add_task("sending", total=total)
        yield lambda: progress.update(task, completed=total - outbox.stats().ready.queries)


def _watch(outbox: BaseOutbox, connect: Callable[[], IngestClient], arguments: argparse.Namespace) -> int:
    """Send again and again until SIGTERM or SIGINT, which take effect between two requests."""
    signals: SimpleQueue[int] = SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: signals.put(received))
    print(f"Watching {outbox.path}, every {arguments.every:g} seconds.", file=sys.stderr, flush=True)
    while True:
        shipped = ship_outbox(outbox, connect, deadline=arguments.timeout)
        if shipped.accepted or shipped.refused or shipped.problem:
            _print_summary(arguments.out, shipped, outbox.stats().ready.queries)
        try:
            signals.get(timeout=arguments.every)
        except Empty:
            continue
        return 0


def _print_summary(out: TextIO, shipped: ShippingResult, left: int) -> None:
    why = f" ({shipped.problem})" if left and shipped.problem else ""
    print(
        f"{shipped.accepted} queries accepted, {shipped.refused} refused, {left} left{why}; "
        f"{shipped.requests} requests, {size(shipped.bytes)}, {shipped.seconds:.1f} s.",
        file=out,
        flush=True,
    )


def list_dead(arguments: argparse.Namespace) -> int:
    """Show what the server refused, with its message."""
    letters = list(open_outbox(arguments).dead_letters())[-arguments.limit :]
    found = [
        {"at": letter.at, "status": letter.status, "message": letter.message, "query": letter.payload}
        for letter in letters
    ]
    rows = [
        {
            "at": letter.at,
            "queryId": letter.payload["queryId"],
            "status": str(letter.status),
            "message": letter.message,
            "query": " ".join(letter.payload["query"].split())[:80],
        }
        for letter in letters
    ]
    show(arguments, found, rows)
    return 0


def retry_dead(arguments: argparse.Namespace) -> int:
    """Make what was refused ready to be sent again."""
    print(f"{open_outbox(arguments).retry_dead()} queries are ready to be sent again.", file=arguments.out)
    return 0


def purge(arguments: argparse.Namespace) -> int:
    """Delete queries, after a question on a terminal, or with ``--yes``."""
    outbox = open_outbox(arguments)
    contents = getattr(outbox.stats(), arguments.place)
    question = f"Throw away {contents.queries} queries in {outbox.path}/{arguments.place}? [y/N] "
    if not (arguments.yes or _is_confirmed(question)):
        print("Nothing was thrown away; say --yes to do it without being asked.", file=sys.stderr)
        return 1
    print(f"{outbox.purge(arguments.place)} queries were thrown away.", file=arguments.out)
    return 0


def _is_confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def open_outbox(arguments: argparse.Namespace) -> BaseOutbox:
    """Return the outbox of ``--path``, or of ``[ryft] outbox_path``."""
    return configured_outbox.find(arguments.path, settings.read())


def _connect(conn_id: str | None) -> Callable[[], IngestClient]:
    """Return what gives the client; a connection that can't be used is an error already here."""
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    from airflow_provider_ryft.hooks.ryft import RyftIngestHook

    conn_id = conn_id or settings.read().conn_id
    try:
        client = RyftIngestHook(conn_id).get_conn()
    except AirflowNotFoundException:
        raise ConfigurationError(
            f"There is no connection {conn_id!r}. Add it, with type ryft and the ingest token as its password."
        ) from None
    return lambda: client
