"""What becomes of queries with each answer of the server."""

from __future__ import annotations

import os
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ryft.exceptions import ConfigurationError
from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from airflow_provider_ryft.shipping.shipper import flush_journal, ship_outbox
from support.outboxes import ids_on_disk, line
from support.shipments import OVERLOADED, Clock, Connect, forbidden, journal_of, leave, received

# --- answers


def test_a_server_that_asks_to_wait_is_asked_again_after_that(
    outbox: Outbox, sandbox: Sandbox, connect: Connect, clock: Clock
) -> None:
    leave(outbox, "a")
    sandbox.faults.set(OVERLOADED)
    assert "503" in ship_outbox(outbox, connect, deadline=5).problem
    assert ids_on_disk(outbox.path, "ready") == {"a": 1}
    assert "503" in ship_outbox(outbox, forbidden, deadline=5).problem, "not asked again before it wants to be"
    clock.now += 61
    assert ship_outbox(outbox, connect, deadline=5).requests == 1
    sandbox.faults.set()
    clock.now += 61
    assert ship_outbox(outbox, connect, deadline=5).accepted == 1
    assert outbox.stats().remaining_pause == 0


def test_a_server_that_asks_for_hours_is_asked_after_the_longest_pause(
    outbox: Outbox, sandbox: Sandbox, connect: Connect, clock: Clock
) -> None:
    leave(outbox, "a")
    sandbox.faults.set(Fault(status=429, retry_after="86400", times=1))
    ship_outbox(outbox, connect, deadline=5)
    assert outbox.stats().remaining_pause == pytest.approx(900, abs=1)
    clock.now += 901
    assert ship_outbox(outbox, connect, deadline=5).accepted == 1


def test_the_circuit_breaker_keeps_an_outage_from_costing_each_task_its_deadline(
    outbox: Outbox, sandbox: Sandbox, connect: Connect, clock: Clock
) -> None:
    sandbox.faults.set(Fault(status=503, retry_after="20"))
    for number in range(3):
        flush_journal(outbox, journal_of(outbox, f"q{number}"), connect, deadline=5)
        clock.now += 21
    assert len(sandbox.requests) == 3
    for number in range(3, 20):
        flush_journal(outbox, journal_of(outbox, f"q{number}"), forbidden, deadline=5)
    sandbox.faults.set()
    clock.now += 31
    shipped = flush_journal(outbox, journal_of(outbox, "last"), connect, deadline=5)
    assert shipped.accepted == 21
    assert len(received(sandbox)) == 21
    assert not ids_on_disk(outbox.path)


def test_force_sends_though_the_circuit_breaker_is_open(outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
    leave(outbox, "a")
    sandbox.faults.set(Fault(status=401, times=1))
    ship_outbox(outbox, connect, deadline=5)
    assert ship_outbox(outbox, forbidden, deadline=5).accepted == 0
    assert ship_outbox(outbox, connect, deadline=5, force=True).accepted == 1


@pytest.mark.parametrize("status", [401, 403, 404, 405, 410, 302, 501])
def test_a_server_that_is_misconfigured_is_asked_once_in_a_pause(
    outbox: Outbox, sandbox: Sandbox, connect: Connect, clock: Clock, status: int
) -> None:
    leave(outbox, "a")
    leave(outbox, "b")
    sandbox.faults.set(Fault(status=status))
    shipped = ship_outbox(outbox, connect, deadline=5)
    assert str(status) in shipped.problem
    assert len(sandbox.requests) == 1, "it is not asked again"
    assert ids_on_disk(outbox.path, "ready") == {"a": 1, "b": 1}
    clock.now += 890
    assert str(status) in ship_outbox(outbox, forbidden, deadline=5).problem
    clock.now += 11
    sandbox.faults.set()
    assert ship_outbox(outbox, connect, deadline=5).accepted == 2


def test_a_refused_query_is_a_dead_letter(
    outbox: Outbox, sandbox: Sandbox, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    leave(outbox, "good", "bad")
    sandbox.faults.set(Fault(refuse="^bad$"))
    shipped = ship_outbox(outbox, connect, deadline=5)
    assert (shipped.accepted, shipped.refused, shipped.problem) == (1, 1, "")
    (letter,) = outbox.dead_letters()
    assert letter.line == line("bad")
    assert letter.status == 400
    assert "bad" in letter.message
    assert "refused query bad (400)" in caplog.text
    assert outbox.stats().state.counters == {"accepted": 1, "refused": 1}


def test_a_dead_letter_that_can_not_be_written_is_kept_where_it_was(
    outbox: Outbox, sandbox: Sandbox, connect: Connect
) -> None:
    leave(outbox, "good", "bad")
    os.rmdir(os.path.join(outbox.path, "dead"))
    Path(outbox.path, "dead").write_text("a file in its place")
    sandbox.faults.set(Fault(refuse="^bad$"))
    shipped = ship_outbox(outbox, connect, deadline=5)
    assert (shipped.accepted, shipped.refused) == (1, 0)
    assert ids_on_disk(outbox.path, "ready") == {"bad": 1}
    assert received(sandbox) == ["good"]


def test_the_limit_of_the_server_is_remembered_for_the_next_sender(
    outbox: Outbox, sandbox: Sandbox, token: str, connect: Connect
) -> None:
    leave(outbox, *(f"q{number:02}" for number in range(20)))
    sandbox.faults.set(Fault(max_bytes=1_000))
    assert ship_outbox(outbox, connect, deadline=5).accepted == 20
    before = sandbox.statuses()[HTTPStatus.REQUEST_ENTITY_TOO_LARGE]
    assert before > 0
    leave(outbox, *(f"r{number:02}" for number in range(20)))
    assert ship_outbox(outbox, connect, deadline=5).accepted == 20
    assert sandbox.statuses()[HTTPStatus.REQUEST_ENTITY_TOO_LARGE] == before, "the next sender knows the limit"
    assert sorted(received(sandbox)) == sorted(f"{letter}{number:02}" for letter in "qr" for number in range(20))


def test_a_server_that_does_not_answer_has_failed(outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
    leave(outbox, "a")
    sandbox.faults.set(Fault(hang=True))
    shipped = ship_outbox(outbox, connect, deadline=3)
    assert "did not answer" in shipped.problem
    assert ids_on_disk(outbox.path, "ready") == {"a": 1}
    assert outbox.state.read_state().breaker.failures == 1


def test_no_answer_in_too_little_time_is_not_held_against_the_server(
    outbox: Outbox, sandbox: Sandbox, connect: Connect
) -> None:
    leave(outbox, "a")
    sandbox.faults.set(Fault(hang=True))
    assert ship_outbox(outbox, connect, deadline=1.1).requests == 1
    assert outbox.state.read_state().breaker.failures == 0


@pytest.mark.parametrize("error", [ConfigurationError("The token is empty."), RuntimeError("s3cret of a backend")])
def test_a_client_that_cannot_be_made_keeps_the_queries(outbox: Outbox, error: Exception) -> None:
    leave(outbox, "a")

    def fails() -> IngestClient:
        raise error

    shipped = ship_outbox(outbox, fails, deadline=5)
    assert ("The token is empty." if isinstance(error, ConfigurationError) else "RuntimeError") in shipped.problem
    assert "s3cret" not in shipped.problem
    assert ids_on_disk(outbox.path, "ready") == {"a": 1}


def test_a_bug_in_the_client_is_no_reason_to_lose_anything(outbox: Outbox, sandbox: Sandbox, token: str) -> None:
    leave(outbox, "a")

    class Broken(IngestClient):
        def push_lines(self, lines: Any, *, deadline: float | None = None) -> Any:
            raise ZeroDivisionError

    assert "ZeroDivisionError" in ship_outbox(outbox, lambda: Broken(token, base_url=sandbox.url), deadline=5).problem
    assert ids_on_disk(outbox.path, "ready") == {"a": 1}


def test_an_interrupt_gives_back_what_was_claimed(outbox: Outbox, sandbox: Sandbox, token: str) -> None:
    leave(outbox, "a")

    class Interrupted(IngestClient):
        def push_lines(self, lines: Any, *, deadline: float | None = None) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ship_outbox(outbox, lambda: Interrupted(token, base_url=sandbox.url), deadline=5)
    assert ids_on_disk(outbox.path, "ready") == {"a": 1}


# --- refused alike


def test_queries_that_are_all_refused_alike_are_kept(outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
    for number in range(3):
        leave(outbox, f"{number}-a", f"{number}-b")
    sandbox.faults.set(Fault(refuse=".*"))
    shipped = ship_outbox(outbox, connect, deadline=5)
    assert shipped.refused == shipped.accepted == 0
    assert "Nothing was dropped" in shipped.problem
    assert len(ids_on_disk(outbox.path, "ready")) == 6
    assert outbox.state.read_state().breaker.failures == 1


def test_bad_queries_at_the_head_do_not_hold_up_the_others(outbox: Outbox, sandbox: Sandbox, token: str) -> None:
    leave(outbox, *(f"bad{number}" for number in range(20)))
    leave(outbox, *(f"bad{number}" for number in range(20, 40)))
    leave(outbox, *(f"good{number}" for number in range(20)))
    sandbox.faults.set(Fault(refuse="^bad"))
    shipped = ship_outbox(outbox, lambda: IngestClient(token, base_url=sandbox.url, max_batch_count=20), deadline=20)
    assert (shipped.accepted, shipped.refused, shipped.problem) == (20, 40, "")
    assert len(received(sandbox)) == len(set(received(sandbox))) == 20
    assert ids_on_disk(outbox.path) == ids_on_disk(outbox.path, "dead")
