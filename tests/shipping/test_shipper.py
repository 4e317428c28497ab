"""What is sent when, and what is left in the outbox."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from airflow_provider_ryft.shipping.shipper import flush_journal, ship_outbox
from support.outboxes import PLACES, FailingDisk, Killed, ids_on_disk, line
from support.shipments import OVERLOADED, Connect, forbidden, journal_of, leave, received

# --- ship_outbox


def test_without_queries_no_server_is_asked(outbox: Outbox) -> None:
    shipped = vars(ship_outbox(outbox, forbidden, deadline=5))
    assert shipped.pop("seconds") < 5
    assert not any(shipped.values())
    assert not os.path.exists(outbox.path)


def test_orphans_are_sent_too(outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
    disk = FailingDisk()
    journal = journal_of(Outbox(outbox.path, disk=disk), "a")
    journal.record_start("b", line("b", interrupted=True))
    disk.kill()
    assert ship_outbox(outbox, connect, deadline=5).accepted == 2
    assert [(one["queryId"], one["queryState"]) for one in sandbox.records()] == [
        ("a", "FINISHED"),
        ("b", "FAILED"),
    ]


def test_shipping_stops_at_its_deadline(outbox: Outbox, sandbox: Sandbox, token: str) -> None:
    for number in range(5):
        leave(outbox, f"q{number}")
    sandbox.faults.set(Fault(delay=0.5))
    one_by_one = lambda: IngestClient(token, base_url=sandbox.url, max_batch_count=1)  # noqa: E731
    shipped = ship_outbox(outbox, one_by_one, deadline=1.6)
    assert shipped.requests < 5
    assert shipped.accepted + len(ids_on_disk(outbox.path, "ready")) == 5


def test_no_request_is_begun_that_could_not_end(outbox: Outbox) -> None:
    leave(outbox, "a")
    assert ship_outbox(outbox, forbidden, deadline=0.1).requests == 0
    assert ids_on_disk(outbox.path, "ready") == {"a": 1}


def test_an_answer_that_was_lost_means_the_same_ids_again(outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
    leave(outbox, "a", "b")
    sandbox.faults.set(Fault(reset="stored", times=1))
    assert ship_outbox(outbox, connect, deadline=5).accepted == 2
    assert received(sandbox) == ["a", "b", "a", "b"]
    assert not ids_on_disk(outbox.path)


def test_a_disk_that_cannot_be_written_is_no_exception(outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
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


# --- flush_journal


def test_a_journal_without_queries_does_nothing(outbox: Outbox) -> None:
    leave(outbox, "earlier")
    before = sorted(Path(outbox.path).rglob("*"))
    assert flush_journal(outbox, outbox.open_journal(), forbidden, deadline=5).accepted == 0
    assert sorted(Path(outbox.path).rglob("*")) == before


def test_a_journal_is_delivered_in_one_request_and_leaves_no_file(
    outbox: Outbox, sandbox: Sandbox, connect: Connect
) -> None:
    shipped = flush_journal(outbox, journal_of(outbox, "a", "b"), connect, deadline=5)
    assert (shipped.accepted, shipped.kept, shipped.lost, shipped.requests) == (2, 0, 0, 1)
    assert received(sandbox) == ["a", "b"]
    assert [os.listdir(Path(outbox.path, place)) for place in PLACES] == [[], [], [], []]


def test_after_a_journal_what_earlier_tasks_left_is_sent(outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
    leave(outbox, "earlier")
    assert flush_journal(outbox, journal_of(outbox, "a"), connect, deadline=5).accepted == 2
    assert received(sandbox) == ["a", "earlier"]


def test_what_the_server_does_not_take_is_kept_and_the_rest_not_tried(
    outbox: Outbox, sandbox: Sandbox, connect: Connect
) -> None:
    leave(outbox, "earlier")
    sandbox.faults.set(OVERLOADED)
    shipped = flush_journal(outbox, journal_of(outbox, "a", "b"), connect, deadline=5)
    assert (shipped.accepted, shipped.kept, shipped.requests) == (0, 2, 1)
    assert "503" in shipped.problem
    assert ids_on_disk(outbox.path, "ready") == {"earlier": 1, "a": 1, "b": 1}


def test_what_was_sealed_in_the_meantime_is_sent_too(outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
    journal = journal_of(outbox, *(f"q{number}" for number in range(1_000)))
    assert journal.pending_queries() == {}
    shipped = flush_journal(outbox, journal, connect, deadline=20, leftovers=20)
    assert (shipped.accepted, shipped.kept) == (1_000, 0)
    assert len(set(received(sandbox))) == 1_000


def test_what_still_runs_is_kept_as_interrupted(outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
    journal = journal_of(outbox, "a")
    journal.record_start("b", line("b", interrupted=True))
    assert flush_journal(outbox, journal, connect, deadline=5).accepted == 2
    assert [one["queryState"] for one in sandbox.records()] == ["FINISHED", "FAILED"]


def test_what_is_refused_of_a_journal_is_a_dead_letter(outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
    sandbox.faults.set(Fault(refuse="^bad$"))
    shipped = flush_journal(outbox, journal_of(outbox, "bad", "good"), connect, deadline=5)
    assert (shipped.accepted, shipped.refused, shipped.kept) == (1, 1, 0)
    assert ids_on_disk(outbox.path) == ids_on_disk(outbox.path, "dead") == {"bad": 1}


def test_one_task_with_bad_queries_does_not_stop_the_others(outbox: Outbox, sandbox: Sandbox, connect: Connect) -> None:
    sandbox.faults.set(Fault(refuse="^bad"))
    assert (
        "Nothing was dropped" in flush_journal(outbox, journal_of(outbox, "bad1", "bad2"), connect, deadline=5).problem
    )
    shipped = flush_journal(outbox, journal_of(outbox, "good"), connect, deadline=5)
    assert (shipped.accepted, shipped.refused) == (1, 2)
    assert ids_on_disk(outbox.path) == {"bad1": 1, "bad2": 1}


@pytest.mark.parametrize("reason", [13, 28, 30])
def test_a_journal_without_a_disk_is_delivered_from_memory(
    tmp_path: Path, sandbox: Sandbox, connect: Connect, caplog: pytest.LogCaptureFixture, reason: int
) -> None:
    disk = FailingDisk()
    disk.refuses_with = reason
    outbox = Outbox(tmp_path / "outbox", disk=disk)
    shipped = flush_journal(outbox, journal_of(outbox, "a", "b"), connect, deadline=5)
    assert (shipped.accepted, shipped.lost) == (2, 0)
    assert received(sandbox) == ["a", "b"]
    assert len(caplog.records) == 1


def test_what_is_lost_with_neither_server_nor_disk_is_counted(
    tmp_path: Path, sandbox: Sandbox, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    disk = FailingDisk()
    disk.refuses_with = 28
    sandbox.faults.set(OVERLOADED)
    outbox = Outbox(tmp_path / "outbox", disk=disk)
    shipped = flush_journal(outbox, journal_of(outbox, "a", "b"), connect, deadline=5)
    assert (shipped.accepted, shipped.kept, shipped.lost) == (0, 0, 2)
    assert "2 queries are lost" in caplog.text


@pytest.fixture
def hanging(sandbox: Sandbox) -> Iterator[Sandbox]:
    sandbox.faults.set(Fault(hang=True))
    yield sandbox
    sandbox.faults.set()


def test_flushing_may_be_abandoned(tmp_path: Path, hanging: Sandbox, connect: Connect) -> None:
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


def test_the_token_is_in_no_file(outbox: Outbox, sandbox: Sandbox, token: str) -> None:
    sandbox.faults.set(Fault(status=401, body=f"{token} is not valid"))
    flush_journal(outbox, journal_of(outbox, "a"), lambda: IngestClient(token, base_url=sandbox.url), deadline=5)
    sandbox.faults.set(Fault(status=400, body=f"{token} is not valid"))
    ship_outbox(outbox, lambda: IngestClient(token, base_url=sandbox.url), deadline=5, force=True)
    contents = b"".join(file.read_bytes() for file in Path(outbox.path).rglob("*") if file.is_file())
    assert b"is not valid" in contents
    assert token.encode() not in contents
