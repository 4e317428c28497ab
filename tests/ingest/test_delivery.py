"""What a push promises whatever the server does: each query is accepted or refused, once, and none is missing."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache

import pytest
from hypothesis import assume, event, given, settings, strategies as st
from tenacity import wait_random

from airflow_provider_ryft.exceptions import MisconfiguredError
from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.ingest.query import Query
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox

POISON = "POISON"
COUNT = 10_000
# The first and the last, single ones, neighbours, and a cluster across the border of two batches of 500.
POISONED = {0, 1_234, 2_345, 3_333, 3_335, 5_000, 6_499, 7_777, 9_999, *range(4_495, 4_502), *range(8_100, 8_104)}
START = datetime(2026, 3, 10, tzinfo=timezone.utc)


@pytest.fixture(scope="module", autouse=True)
def _short_waits() -> Iterator[None]:
    """Let retries come at once, for the machine's sake."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("airflow_provider_ryft.ingest.push._jitter", wait_random(0, 0.01))
        yield


def query(number: int, *, is_poison: bool = False, length: int = 0) -> Query:
    """Return a query that is known by its id."""
    return Query(
        query_id=f"q-{number}",
        query=f"SELECT {POISON if is_poison else number} {'x' * length}",
        query_state="FINISHED",
        timestamp=START + timedelta(seconds=number),
        duration_ms=number / 10,
        tags=["dag:sales", f"task:{number % 7}"],
    )


@cache
def many() -> list[Query]:
    """Return ten thousand queries of many lengths, twenty of them poison."""
    return [query(number, is_poison=number in POISONED, length=number * 37 % 400) for number in range(COUNT)]


# What a bad day brings, apart from answers that are lost after everything was stored.
BAD_DAY = (
    Fault(refuse=POISON),
    Fault(max_bytes=100_000),
    Fault(status=429, retry_after="1", times=2, probability=0.05),
    Fault(status=429, retry_after="0", probability=0.05),
    Fault(status=503, probability=0.1),
    Fault(reset="before", probability=0.05),
    Fault(reset="body", probability=0.05),
)


def test_ten_thousand_queries_are_all_accepted_or_refused_through_a_bad_day(sandbox: Sandbox, token: str) -> None:
    """503, 429, 413, resets and twenty poison records: nothing is missing, nothing arrives twice."""
    sandbox.faults.set(*BAD_DAY)
    with IngestClient(token, base_url=sandbox.url) as client:
        result = client.push(many())

    payloads = {query.query_id: query.to_payload() for query in many()}
    poisoned = {f"q-{number}" for number in POISONED}
    records = sandbox.records()
    assert len(poisoned) == 20
    assert len(records) == result.accepted == 9_980
    assert {record["queryId"] for record in records} == payloads.keys() - poisoned
    assert all(record == payloads[record["queryId"]] for record in records)
    assert sorted(refused.query_id for refused in result.refused) == sorted(poisoned)
    assert {refused.status for refused in result.refused} == {400}
    assert all(json.loads(refused.line) == payloads[refused.query_id] for refused in result.refused)

    statuses = sandbox.statuses()
    assert statuses.keys() == {200, 400, 413, 429, 503, None}, "each kind of fault has happened"
    requests = list(sandbox.requests)
    assert result.requests == len(requests)
    assert result.retries == statuses[429] + statuses[503] + statuses[None]
    assert result.bytes == sum(request.length for request in requests)
    assert result.accepted == sum(request.queries for request in requests if request.status == 200)


def test_ten_thousand_queries_are_all_there_when_answers_are_lost_and_what_comes_twice_is_identical(
    sandbox: Sandbox, token: str
) -> None:
    """At least once: after an answer that was lost, the same bytes come again."""
    sandbox.faults.set(Fault(reset="stored", probability=0.15), *BAD_DAY)
    with IngestClient(token, base_url=sandbox.url) as client:
        result = client.push(many())

    lines = {query.query_id: query.encode() for query in many()}
    poisoned = {f"q-{number}" for number in POISONED}
    deliveries: dict[str, list[bytes]] = defaultdict(list)
    for record in sandbox.records():
        encoded = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
        deliveries[record["queryId"]].append(encoded)
    assert deliveries.keys() == lines.keys() - poisoned
    assert max(map(len, deliveries.values())) > 1, "an answer was lost"
    for query_id, received in deliveries.items():
        assert set(received) == {lines[query_id]}
    assert result.accepted == 9_980
    assert sorted(refused.query_id for refused in result.refused) == sorted(poisoned)
    assert result.requests == len(sandbox.requests)


@dataclass(frozen=True)
class Day:
    """A push, and what befalls it."""

    lengths: list[int]
    poison: set[int]
    max_bytes: int
    max_batch_count: int
    max_batch_bytes: int
    faults: list[Fault]

    @property
    def queries(self) -> list[Query]:
        return [query(n, is_poison=n in self.poison, length=length) for n, length in enumerate(self.lengths)]

    def refusable(self) -> Counter[str]:
        """Return the ids of what no server of this kind takes, even alone."""
        too_long = {q.query_id for q in self.queries if len(q.encode()) + len(b"[]") > self.max_bytes}
        return Counter(too_long | {f"q-{number}" for number in self.poison})


@st.composite
def days(draw: st.DrawFn) -> Day:
    """Draw a push of up to sixty queries; how they are spread matters more than how many they are."""
    count = draw(st.integers(0, 60))
    lengths = draw(st.lists(st.sampled_from([0, 10, 100, 500, 3_000]), min_size=count, max_size=count))
    positions = st.sets(st.integers(0, count - 1)) if count else st.just(set())
    clusters = st.builds(lambda first, length: set(range(first, min(first + length, count))), *[st.integers(0, 59)] * 2)
    passing = [
        Fault(status=503, times=1),
        Fault(status=429, retry_after="0", times=1),
        Fault(status=500, times=1),
        Fault(reset="before", times=1),
        Fault(reset="body", times=1),
    ]
    return Day(
        lengths=lengths,
        poison=draw(st.one_of(positions, clusters)),
        max_bytes=draw(st.sampled_from([400, 1_000, 4_000, 10_000, 1 << 20])),
        max_batch_count=draw(st.integers(1, 70)),
        max_batch_bytes=draw(st.one_of(st.integers(1, 8_000), st.just(1 << 20))),
        faults=draw(st.lists(st.sampled_from(passing), max_size=5)),
    )


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """Run one sandbox for all examples."""
    with Sandbox() as running:
        yield running


def befall(sandbox: Sandbox, day: Day) -> None:
    """Make the sandbox forget all that was, and misbehave as on this day."""
    sandbox.store.clear()
    sandbox.requests.clear()
    sandbox.faults.set(Fault(refuse=POISON), Fault(max_bytes=day.max_bytes), *day.faults)


def client_of(sandbox: Sandbox, day: Day) -> IngestClient:
    return IngestClient(
        "any", base_url=sandbox.url, max_batch_count=day.max_batch_count, max_batch_bytes=day.max_batch_bytes
    )


def stored(sandbox: Sandbox) -> Counter[str]:
    return Counter(record["queryId"] for record in sandbox.records())


@settings(max_examples=60, deadline=None)
@given(day=days())
def test_any_push_accepts_or_refuses_each_query_once_and_refuses_poison_only(shared: Sandbox, day: Day) -> None:
    """Whatever is refused is poison or too long, whatever is neither is there, and nothing is both or twice."""
    befall(shared, day)
    with client_of(shared, day) as client:
        client.push([query(10_000)])  # a server that has taken something is believed to know what it refuses
        shared.store.clear()
        shared.requests.clear()
        result = client.push(day.queries)

    everything = Counter(q.query_id for q in day.queries)
    refused = Counter(refused.query_id for refused in result.refused)
    event(f"refused: {'some' if refused else 'none'}, accepted: {'some' if result.accepted else 'none'}")
    assert refused == day.refusable()
    assert stored(shared) == everything - refused
    assert result.accepted == (everything - refused).total()
    assert result.requests == len(shared.requests)


@settings(max_examples=40, deadline=None)
@given(day=days())
def test_any_push_to_a_server_that_never_took_anything_refuses_poison_or_stops(shared: Sandbox, day: Day) -> None:
    """A server that refuses everything is not believed; then nothing counts as refused that was good."""
    assume(day.poison)
    befall(shared, day)
    stopped: MisconfiguredError | None = None
    with client_of(shared, day) as client:
        try:
            result = client.push(day.queries)
        except MisconfiguredError as error:
            stopped = error
    event("stopped" if stopped else "went through")
    if stopped is None:
        assert Counter(refused.query_id for refused in result.refused) == day.refusable()
        assert stored(shared) == Counter(q.query_id for q in day.queries) - day.refusable()
    else:
        assert stopped.result is not None
        assert stopped.result.accepted == 0
        assert not stored(shared)
        assert Counter(refused.query_id for refused in stopped.result.refused) <= day.refusable()
