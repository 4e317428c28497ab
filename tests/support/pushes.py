"""Queries to push, and what a sandbox received of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

from airflow_provider_ryft.ingest.query import Query
from airflow_provider_ryft.results import RefusedQuery
from airflow_provider_ryft.sandbox.server import Sandbox

LATER = [408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529]
REFUSED = [400, 422]
TOO_LARGE = 413


def query(number: int, text: str = "SELECT 1") -> Query:
    """Make a query that is known by its number."""
    return Query(
        query_id=f"q-{number}",
        query=text,
        query_state="FINISHED",
        timestamp=datetime(2026, 3, 10, tzinfo=timezone.utc),
        duration_ms=number,
    )


def queries(count: int, text: str = "SELECT 1") -> list[Query]:
    """Make queries numbered from 0."""
    return [query(number, text) for number in range(count)]


def ids(refused: Iterable[RefusedQuery]) -> list[str]:
    """Return the ids of refused queries, sorted."""
    return sorted(each.query_id for each in refused)


def stored(sandbox: Sandbox) -> list[str]:
    """Return the ids of all that the sandbox took, in order."""
    return [record["queryId"] for record in sandbox.records()]


def sizes(sandbox: Sandbox) -> list[int]:
    """Return how many queries each request held."""
    return [request.queries for request in sandbox.requests]


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now
