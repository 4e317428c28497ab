"""What is sent when, what becomes of it with each answer, and what is left in the outbox."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from tenacity import wait_none

from airflow_provider_ryft.exceptions import ConfigurationError
from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.outbox.journal import Journal
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from airflow_provider_ryft.shipping.shipper import ShippingResult, flush_journal, ship_outbox
from support.outboxes import PLACES, FailingDisk, Killed, ids_on_disk, line, on_disk

TESTS = Path(__file__).parents[1]
OVERLOADED = Fault(status=503, retry_after="60")
Connect = Callable[[], IngestClient]


class Clock:
    """Seconds since 1970 that pass when they are told to."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_ryft.ingest.push._jitter", wait_none())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(tmp_path: Path, clock: Clock) -> Outbox:
    return Outbox(tmp_path / "outbox", clock=clock)


@pytest.fixture
def connect(sandbox: Sandbox, token: str) -> Connect:
    return lambda: IngestClient(token, base_url=sandbox.url)


def forbidden() -> IngestClient:
    raise AssertionError("nobody was to be asked")


def journal_of(outbox: Outbox, *query_ids: str, text: str = "SELECT 1") -> Journal:
    journal = outbox.open_journal()
    for one in query_ids:
        journal.record_start(one, line(one, interrupted=True))
        journal.record_end(one, line(one, text=text))
    return journal


def leave(outbox: Outbox, *query_ids: str, text: str = "SELECT 1") -> None:
    assert journal_of(outbox, *query_ids, text=text).close_journal().kept == len(query_ids)


def received(sandbox: Sandbox) -> list[str]:
    return [record["queryId"] for record in sandbox.records()]


class TestShip:
    """Sends what waits."""

    def test_nothing_asks_nobody(self, outbox: Outbox) -> None:
        assert ship_outbox(outbox, forbidden, deadline=5) == ShippingResult(seconds=pytest.approx(0, abs=5))
        assert not os.path.exists(outbox.path)

    def test_the_oldest_first_and_several_segments_in_one_request(
        self, outbox: Outbox, sandbox: Sandbox, connect: Connect
    ) -> None:
        for number in range(10):
            leave(outbox, f"{number}-a", f"{number}-b")
        shipped = ship_outbox(outbox, connect, deadline=5)
        assert (shipped.accepted, shipped.requests, shipped.problem) == (20, 1, "")
        assert shipped.bytes == sandbox.requests[0].length
        assert received(sandbox) == [f"{number}-{letter}" for number in range(10) for letter in "ab"]
        assert on_disk(outbox.path) == {place: [] for place in PLACES}
        assert outbox.stats().state.counters == {"accepted": 20}

    def test_every_byte_as_it_was_written(self, outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
        text = "SELECT 'ü🦆', '\r\n\t\x00', \"x\\y\" -- \u2028"
        leave(outbox, "a", text=text)
        ship_outbox(outbox, connect, deadline=5)
        assert sandbox.records()[0]["query"] == text
        assert sandbox.requests[0].length == len(line("a", text=text)) + 2

    def test_orphans_too(self, outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
        disk = FailingDisk()
        journal = journal_of(Outbox(outbox.path, disk=disk), "a")
        journal.record_start("b", line("b", interrupted=True))
        disk.kill()
        assert ship_outbox(outbox, connect, deadline=5).accepted == 2
        assert [(one["queryId"], one["queryState"]) for one in sandbox.records()] == [
            ("a", "FINISHED"),
            ("b", "FAILED"),
        ]

    def test_segments_that_do_not_fit_into_a_request_take_several(
        self, outbox: Outbox, sandbox: Sandbox, token: str
    ) -> None:
        for number in range(4):
            leave(outbox, *(f"{number}-{letter}" for letter in "abc"))
        shipped = ship_outbox(outbox, lambda: IngestClient(token, base_url=sandbox.url, max_batch_count=7), deadline=5)
        assert (shipped.accepted, shipped.requests) == (12, 2)
        leave(outbox, *(f"4-{letter}" for letter in "abcde"))
        shipped = ship_outbox(outbox, lambda: IngestClient(token, base_url=sandbox.url, max_batch_count=2), deadline=5)
        assert (shipped.accepted, shipped.requests) == (5, 3)

    def test_more_segments_than_may_be_open(self, outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
        for number in range(200):
            leave(outbox, f"q{number}")
        shipped = ship_outbox(outbox, connect, deadline=30)
        assert (shipped.accepted, shipped.requests) == (200, 4)
        assert len(set(received(sandbox))) == 200

    def test_what_arrives_meanwhile(self, outbox: Outbox, sandbox: Sandbox, token: str) -> None:
        leave(outbox, "a")

        class Late(IngestClient):
            def push_lines(self, lines: Any, *, deadline: float | None = None) -> Any:
                if not received(sandbox):
                    leave(outbox, "late")
                return super().push_lines(lines, deadline=deadline)

        assert ship_outbox(outbox, lambda: Late(token, base_url=sandbox.url), deadline=5).accepted == 2

    def test_what_was_accepted_before_the_server_failed_is_not_sent_again(
        self, outbox: Outbox, sandbox: Sandbox, token: str
    ) -> None:
        leave(outbox, "a", "b", "c")
        sandbox.faults.set(Fault(delay=0.0, times=1), OVERLOADED)
        small = lambda: IngestClient(token, base_url=sandbox.url, max_batch_count=2)  # noqa: E731
        shipped = ship_outbox(outbox, small, deadline=5)
        assert shipped.accepted == 2
        assert "503" in shipped.problem
        assert on_disk(outbox.path)["ready"] == [line("c")]
        sandbox.faults.set()
        assert ship_outbox(outbox, small, deadline=5, force=True).accepted == 1
        assert received(sandbox) == ["a", "b", "c"]

    def test_stops_at_its_deadline(self, outbox: Outbox, sandbox: Sandbox, token: str) -> None:
        for number in range(5):
            leave(outbox, f"q{number}")
        sandbox.faults.set(Fault(delay=0.5))
        one_by_one = lambda: IngestClient(token, base_url=sandbox.url, max_batch_count=1)  # noqa: E731
        shipped = ship_outbox(outbox, one_by_one, deadline=1.6)
        assert shipped.requests < 5
        assert shipped.accepted + len(ids_on_disk(outbox.path, "ready")) == 5

    def test_begins_nothing_that_it_could_not_end(self, outbox: Outbox) -> None:
        leave(outbox, "a")
        assert ship_outbox(outbox, forbidden, deadline=0.1).requests == 0
        assert ids_on_disk(outbox.path, "ready") == {"a": 1}

    def test_an_answer_that_was_lost_means_the_same_ids_again(
        self, outbox: Outbox, sandbox: Sandbox, connect: Connect
    ) -> None:
        leave(outbox, "a", "b")
        sandbox.faults.set(Fault(reset="stored", times=1))
        assert ship_outbox(outbox, connect, deadline=5).accepted == 2
        assert received(sandbox) == ["a", "b", "a", "b"]
        assert not ids_on_disk(outbox.path)

    def test_a_disk_that_does_not_let_go_is_no_exception(
        self, outbox: Outbox, sandbox: Sandbox, connect: Connect
    ) -> None:
        leave(outbox, "a")
        disk = FailingDisk()
        failing = Outbox(outbox.path, disk=disk)
        failing.ready_segments()
        disk.refuses_with = 30
        shipped = ship_outbox(failing, connect, deadline=5)
        assert shipped.accepted == 0
        assert "Read-only file system" in shipped.problem
        assert received(sandbox) == []
        assert ids_on_disk(outbox.path) == {"a": 1}


class TestAnswers:
    """What the server says decides what becomes of queries."""

    def test_later(self, outbox: Outbox, sandbox: Sandbox, connect: Connect, clock: Clock) -> None:
        leave(outbox, "a")
        sandbox.faults.set(OVERLOADED)
        assert "503" in ship_outbox(outbox, connect, deadline=5).problem
        assert ids_on_disk(outbox.path, "ready") == {"a": 1}
        assert "503" in ship_outbox(outbox, forbidden, deadline=5).problem, "left alone, as it wished"
        clock.now += 61
        assert ship_outbox(outbox, connect, deadline=5).requests == 1
        sandbox.faults.set()
        clock.now += 61
        assert ship_outbox(outbox, connect, deadline=5).accepted == 1
        assert outbox.stats().remaining_pause == 0

    def test_a_wish_of_hours_is_not_granted(
        self, outbox: Outbox, sandbox: Sandbox, connect: Connect, clock: Clock
    ) -> None:
        leave(outbox, "a")
        sandbox.faults.set(Fault(status=429, retry_after="86400", times=1))
        ship_outbox(outbox, connect, deadline=5)
        assert outbox.stats().remaining_pause == pytest.approx(900, abs=1)
        clock.now += 901
        assert ship_outbox(outbox, connect, deadline=5).accepted == 1

    def test_the_breaker_keeps_an_outage_from_costing_each_task_its_deadline(
        self, outbox: Outbox, sandbox: Sandbox, connect: Connect, clock: Clock
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

    def test_a_person_may_insist(self, outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
        leave(outbox, "a")
        sandbox.faults.set(Fault(status=401, times=1))
        ship_outbox(outbox, connect, deadline=5)
        assert ship_outbox(outbox, forbidden, deadline=5).accepted == 0
        assert ship_outbox(outbox, connect, deadline=5, force=True).accepted == 1

    @pytest.mark.parametrize("status", [401, 403, 404, 405, 410, 302, 501])
    def test_misconfigured(self, outbox: Outbox, sandbox: Sandbox, connect: Connect, clock: Clock, status: int) -> None:
        leave(outbox, "a")
        leave(outbox, "b")
        sandbox.faults.set(Fault(status=status))
        shipped = ship_outbox(outbox, connect, deadline=5)
        assert str(status) in shipped.problem
        assert len(sandbox.requests) == 1, "nothing hammers"
        assert ids_on_disk(outbox.path, "ready") == {"a": 1, "b": 1}
        clock.now += 890
        assert str(status) in ship_outbox(outbox, forbidden, deadline=5).problem
        clock.now += 11
        sandbox.faults.set()
        assert ship_outbox(outbox, connect, deadline=5).accepted == 2

    def test_refused(
        self, outbox: Outbox, sandbox: Sandbox, connect: Connect, caplog: pytest.LogCaptureFixture
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
        self, outbox: Outbox, sandbox: Sandbox, connect: Connect
    ) -> None:
        leave(outbox, "good", "bad")
        os.rmdir(os.path.join(outbox.path, "dead"))
        Path(outbox.path, "dead").write_text("a file in its place")
        sandbox.faults.set(Fault(refuse="^bad$"))
        shipped = ship_outbox(outbox, connect, deadline=5)
        assert (shipped.accepted, shipped.refused) == (1, 0)
        assert ids_on_disk(outbox.path, "ready") == {"bad": 1}
        assert received(sandbox) == ["good"]

    def test_too_large(self, outbox: Outbox, sandbox: Sandbox, token: str, connect: Connect) -> None:
        leave(outbox, *(f"q{number:02}" for number in range(20)))
        sandbox.faults.set(Fault(max_bytes=1_000))
        assert ship_outbox(outbox, connect, deadline=5).accepted == 20
        before = sandbox.statuses()[HTTPStatus.REQUEST_ENTITY_TOO_LARGE]
        assert before > 0
        leave(outbox, *(f"r{number:02}" for number in range(20)))
        assert ship_outbox(outbox, connect, deadline=5).accepted == 20
        assert sandbox.statuses()[HTTPStatus.REQUEST_ENTITY_TOO_LARGE] == before, "the next sender knows the limit"
        assert sorted(received(sandbox)) == sorted(f"{letter}{number:02}" for letter in "qr" for number in range(20))

    def test_no_answer(self, outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
        leave(outbox, "a")
        sandbox.faults.set(Fault(hang=True))
        shipped = ship_outbox(outbox, connect, deadline=3)
        assert "did not answer" in shipped.problem
        assert ids_on_disk(outbox.path, "ready") == {"a": 1}
        assert outbox.state.read_state().breaker.failures == 1

    def test_no_answer_in_too_little_time_is_not_held_against_the_server(
        self, outbox: Outbox, sandbox: Sandbox, connect: Connect
    ) -> None:
        leave(outbox, "a")
        sandbox.faults.set(Fault(hang=True))
        assert ship_outbox(outbox, connect, deadline=1.1).requests == 1
        assert outbox.state.read_state().breaker.failures == 0

    @pytest.mark.parametrize("error", [ConfigurationError("The token is empty."), RuntimeError("s3cret of a backend")])
    def test_no_client(self, outbox: Outbox, error: Exception) -> None:
        leave(outbox, "a")

        def fails() -> IngestClient:
            raise error

        shipped = ship_outbox(outbox, fails, deadline=5)
        assert ("The token is empty." if isinstance(error, ConfigurationError) else "RuntimeError") in shipped.problem
        assert "s3cret" not in shipped.problem
        assert ids_on_disk(outbox.path, "ready") == {"a": 1}

    def test_a_bug_in_the_client_is_no_reason_to_lose_anything(
        self, outbox: Outbox, sandbox: Sandbox, token: str
    ) -> None:
        leave(outbox, "a")

        class Broken(IngestClient):
            def push_lines(self, lines: Any, *, deadline: float | None = None) -> Any:
                raise ZeroDivisionError

        assert (
            "ZeroDivisionError" in ship_outbox(outbox, lambda: Broken(token, base_url=sandbox.url), deadline=5).problem
        )
        assert ids_on_disk(outbox.path, "ready") == {"a": 1}

    def test_an_interrupt_gives_back_what_was_claimed(self, outbox: Outbox, sandbox: Sandbox, token: str) -> None:
        leave(outbox, "a")

        class Interrupted(IngestClient):
            def push_lines(self, lines: Any, *, deadline: float | None = None) -> Any:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            ship_outbox(outbox, lambda: Interrupted(token, base_url=sandbox.url), deadline=5)
        assert ids_on_disk(outbox.path, "ready") == {"a": 1}


class TestDoubt:
    """When the server refuses everything alike, it may be the queries, or what this version sends."""

    def test_nothing_is_thrown_away(self, outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
        for number in range(3):
            leave(outbox, f"{number}-a", f"{number}-b")
        sandbox.faults.set(Fault(refuse=".*"))
        shipped = ship_outbox(outbox, connect, deadline=5)
        assert shipped.refused == shipped.accepted == 0
        assert "Nothing was dropped" in shipped.problem
        assert len(ids_on_disk(outbox.path, "ready")) == 6
        assert outbox.state.read_state().breaker.failures == 1

    def test_bad_queries_at_the_head_do_not_hold_up_the_others(
        self, outbox: Outbox, sandbox: Sandbox, token: str
    ) -> None:
        leave(outbox, *(f"bad{number}" for number in range(20)))
        leave(outbox, *(f"bad{number}" for number in range(20, 40)))
        leave(outbox, *(f"good{number}" for number in range(20)))
        sandbox.faults.set(Fault(refuse="^bad"))
        shipped = ship_outbox(
            outbox, lambda: IngestClient(token, base_url=sandbox.url, max_batch_count=20), deadline=20
        )
        assert (shipped.accepted, shipped.refused, shipped.problem) == (20, 40, "")
        assert len(received(sandbox)) == len(set(received(sandbox))) == 20
        assert ids_on_disk(outbox.path) == ids_on_disk(outbox.path, "dead")


class TestFlush:
    """Sends the queries of a task at its end."""

    def test_without_queries_does_nothing(self, outbox: Outbox) -> None:
        leave(outbox, "earlier")
        before = sorted(Path(outbox.path).rglob("*"))
        assert flush_journal(outbox, outbox.open_journal(), forbidden, deadline=5).accepted == 0
        assert sorted(Path(outbox.path).rglob("*")) == before

    def test_delivers_in_one_request_and_leaves_no_file(
        self, outbox: Outbox, sandbox: Sandbox, connect: Connect
    ) -> None:
        shipped = flush_journal(outbox, journal_of(outbox, "a", "b"), connect, deadline=5)
        assert (shipped.accepted, shipped.kept, shipped.lost, shipped.requests) == (2, 0, 0, 1)
        assert received(sandbox) == ["a", "b"]
        assert [os.listdir(Path(outbox.path, place)) for place in PLACES] == [[], [], [], []]

    def test_then_sends_what_earlier_tasks_left(self, outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
        leave(outbox, "earlier")
        assert flush_journal(outbox, journal_of(outbox, "a"), connect, deadline=5).accepted == 2
        assert received(sandbox) == ["a", "earlier"]

    def test_keeps_what_the_server_does_not_take_and_leaves_the_rest_alone(
        self, outbox: Outbox, sandbox: Sandbox, connect: Connect
    ) -> None:
        leave(outbox, "earlier")
        sandbox.faults.set(OVERLOADED)
        shipped = flush_journal(outbox, journal_of(outbox, "a", "b"), connect, deadline=5)
        assert (shipped.accepted, shipped.kept, shipped.requests) == (0, 2, 1)
        assert "503" in shipped.problem
        assert ids_on_disk(outbox.path, "ready") == {"earlier": 1, "a": 1, "b": 1}

    def test_what_was_sealed_in_the_meantime_is_sent_too(
        self, outbox: Outbox, sandbox: Sandbox, connect: Connect
    ) -> None:
        journal = journal_of(outbox, *(f"q{number}" for number in range(1_000)))
        assert journal.pending_queries() == {}
        shipped = flush_journal(outbox, journal, connect, deadline=20, leftovers=20)
        assert (shipped.accepted, shipped.kept) == (1_000, 0)
        assert len(set(received(sandbox))) == 1_000

    def test_what_still_runs_is_kept_as_interrupted(self, outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
        journal = journal_of(outbox, "a")
        journal.record_start("b", line("b", interrupted=True))
        assert flush_journal(outbox, journal, connect, deadline=5).accepted == 2
        assert [one["queryState"] for one in sandbox.records()] == ["FINISHED", "FAILED"]

    def test_buries_what_is_refused(self, outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
        sandbox.faults.set(Fault(refuse="^bad$"))
        shipped = flush_journal(outbox, journal_of(outbox, "bad", "good"), connect, deadline=5)
        assert (shipped.accepted, shipped.refused, shipped.kept) == (1, 1, 0)
        assert ids_on_disk(outbox.path) == ids_on_disk(outbox.path, "dead") == {"bad": 1}

    def test_one_task_with_bad_queries_does_not_silence_the_others(
        self, outbox: Outbox, sandbox: Sandbox, connect: Connect
    ) -> None:
        sandbox.faults.set(Fault(refuse="^bad"))
        assert (
            "Nothing was dropped"
            in flush_journal(outbox, journal_of(outbox, "bad1", "bad2"), connect, deadline=5).problem
        )
        shipped = flush_journal(outbox, journal_of(outbox, "good"), connect, deadline=5)
        assert (shipped.accepted, shipped.refused) == (1, 2)
        assert ids_on_disk(outbox.path) == {"bad1": 1, "bad2": 1}

    @pytest.mark.parametrize("reason", [13, 28, 30])
    def test_delivers_from_memory_when_there_is_no_disk(
        self, tmp_path: Path, sandbox: Sandbox, connect: Connect, caplog: pytest.LogCaptureFixture, reason: int
    ) -> None:
        disk = FailingDisk()
        disk.refuses_with = reason
        outbox = Outbox(tmp_path / "outbox", disk=disk)
        shipped = flush_journal(outbox, journal_of(outbox, "a", "b"), connect, deadline=5)
        assert (shipped.accepted, shipped.lost) == (2, 0)
        assert received(sandbox) == ["a", "b"]
        assert len(caplog.records) == 1

    def test_counts_what_is_lost_with_neither_server_nor_disk(
        self, tmp_path: Path, sandbox: Sandbox, connect: Connect, caplog: pytest.LogCaptureFixture
    ) -> None:
        disk = FailingDisk()
        disk.refuses_with = 28
        sandbox.faults.set(OVERLOADED)
        outbox = Outbox(tmp_path / "outbox", disk=disk)
        shipped = flush_journal(outbox, journal_of(outbox, "a", "b"), connect, deadline=5)
        assert (shipped.accepted, shipped.kept, shipped.lost) == (0, 0, 2)
        assert "2 queries are lost" in caplog.text

    @pytest.fixture
    def hanging(self, sandbox: Sandbox) -> Iterator[Sandbox]:
        sandbox.faults.set(Fault(hang=True))
        yield sandbox
        sandbox.faults.set()

    def test_may_be_abandoned(self, tmp_path: Path, hanging: Sandbox, connect: Connect) -> None:
        """The task's process ends while a thread still waits for the server: the next process finds the file."""
        disk = FailingDisk()
        dying = Outbox(tmp_path / "outbox", disk=disk)
        journal = journal_of(dying, "a", "b")

        def abandoned() -> None:
            with pytest.raises(Killed):
                flush_journal(dying, journal, connect, deadline=1.5)

        thread = threading.Thread(target=abandoned)
        thread.start()
        time.sleep(0.3)
        disk.kill()
        thread.join()
        hanging.faults.set()
        assert ship_outbox(Outbox(tmp_path / "outbox"), connect, deadline=5).accepted == 2
        assert received(hanging) == ["a", "b"]

    def test_the_token_is_in_no_file(self, outbox: Outbox, sandbox: Sandbox, token: str) -> None:
        sandbox.faults.set(Fault(status=401, body=f"{token} is not valid"))
        flush_journal(outbox, journal_of(outbox, "a"), lambda: IngestClient(token, base_url=sandbox.url), deadline=5)
        sandbox.faults.set(Fault(status=400, body=f"{token} is not valid"))
        ship_outbox(outbox, lambda: IngestClient(token, base_url=sandbox.url), deadline=5, force=True)
        contents = b"".join(file.read_bytes() for file in Path(outbox.path).rglob("*") if file.is_file())
        assert b"is not valid" in contents
        assert token.encode() not in contents


OUTAGE = """
import sys, time
sys.path.insert(0, sys.argv[1])
from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.shipping.shipper import ship_outbox

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

outbox = Outbox(sys.argv[2])
client = IngestClient("token", base_url=sys.argv[3])
client.push_lines([])
before, started = peak(), time.monotonic()
shipped = ship_outbox(outbox, lambda: client, deadline=280)
print(shipped.accepted, shipped.requests, shipped.bytes, peak() - before, time.monotonic() - started, sep="\\n")
"""


@pytest.mark.timeout(600)
def test_a_hundred_thousand_queries_of_an_outage_are_sent_with_flat_memory(tmp_path: Path) -> None:
    """What an outage left is read segment by segment, and sent in as few requests as the limits allow."""
    outbox = Outbox(tmp_path / "outbox")
    text = "SELECT a, b, c FROM orders JOIN customers USING (customer_id) WHERE region = 'EMEA' " * 8
    template = line("NUMBER", text=text).replace(b"NUMBER", b"%06d")
    length = 0
    for task in range(400):
        journal = outbox.open_journal()
        for number in range(task * 250, task * 250 + 250):
            query = template % number
            length += len(query)
            journal.record_end(str(number), query)
        journal.close_journal()
    with Sandbox() as sandbox:
        script = [sys.executable, "-c", OUTAGE, str(TESTS), outbox.path, sandbox.url]
        told = subprocess.run(script, capture_output=True, text=True, check=True)
        accepted, requests, size, grown, seconds = map(float, told.stdout.split())
        assert accepted == sandbox.store.count() == 100_000
    print(f"{seconds:.1f} seconds, {requests:.0f} requests, {size / 1e6:.0f} MB, {grown:.0f} KiB more memory")
    assert requests == 200
    assert size == length + 100_000 + 200, "each query once: the lines, a comma or bracket each, and a bracket"
    assert grown < 40_000 < size / 1_024, "KiB"
    assert [os.listdir(Path(outbox.path, place)) for place in PLACES] == [[], [], [], []]
