"""Journals and what waits in an outbox, and what a sandbox received of them."""

from __future__ import annotations

import time
from collections.abc import Callable

from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.outbox.journal import Journal
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from support.outboxes import line

OVERLOADED = Fault(status=503, retry_after="60")
Connect = Callable[[], IngestClient]


class Clock:
    """Seconds since 1970 that pass when a test lets them."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def forbidden() -> IngestClient:
    """Fail, in the place of what makes a client."""
    raise AssertionError("no server was to be asked")


def journal_of(outbox: Outbox, *query_ids: str, text: str = "SELECT 1") -> Journal:
    """Return a journal with statements that have ended."""
    journal = outbox.open_journal()
    for one in query_ids:
        journal.record_start(one, line(one, interrupted=True))
        journal.record_end(one, line(one, text=text))
    return journal


def leave(outbox: Outbox, *query_ids: str, text: str = "SELECT 1") -> None:
    """Make queries ready in an outbox, as a task does that could not deliver them."""
    assert journal_of(outbox, *query_ids, text=text).close_journal().kept == len(query_ids)


def received(sandbox: Sandbox) -> list[str]:
    """Return the ids of all that the sandbox accepted, in order."""
    return [record["queryId"] for record in sandbox.records()]
