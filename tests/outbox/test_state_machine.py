"""Whatever happens to an outbox, in whatever order: no query is lost, and none is invented.

Processes are simulated in this one: each has a disk of its own, which can stop to write, and can die before any of its
steps and in the middle of a write. Locks, renames, files and requests are real.
"""

from __future__ import annotations

import errno
import logging
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, note, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.outbox import journal as journal_module
from airflow_provider_ryft.outbox.claims import SegmentClaims
from airflow_provider_ryft.outbox.directory import ClaimedSegment
from airflow_provider_ryft.outbox.journal import Journal
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from airflow_provider_ryft.shipping.shipper import flush_journal, ship_outbox
from support.outboxes import FailingDisk, Killed, ids, ids_on_disk, line

POISON = "POISON"
TOKEN = "t"
WITHOUT_END = 1e12
START = time.time()

ANSWERS = {
    "accepts": [],
    "is overloaded": [Fault(status=503, retry_after="120")],
    "asks for a long pause": [Fault(status=429, retry_after="1000000000")],
    "wants another token": [Fault(status=401)],
    "is not there": [Fault(status=404, body="<html>", content_type="text/html")],
    "takes little": [Fault(max_bytes=700)],
    "loses its answer": [Fault(reset="stored", times=1), Fault(status=503, retry_after="120", times=1)],
    "refuses all": [Fault(refuse=".*")],
    "fails in the middle": [Fault(times=1), Fault(status=503, retry_after="120")],
}


def perhaps_killed(steps: int, *, odds: int) -> st.SearchStrategy[int | None]:
    """Draw at which of so many steps a process dies; most of them live."""
    return st.sampled_from([None] * steps * odds + list(range(steps)))


@cache
def running_sandbox() -> Sandbox:
    """Start one for all runs; it ends with the tests."""
    return Sandbox(token=TOKEN).__enter__()


@dataclass
class Process:
    """A process on the outbox."""

    disk: FailingDisk
    outbox: Outbox
    journal: Journal
    running: list[str] = field(default_factory=list)
    unsafe: set[str] = field(default_factory=set)
    segments: list[ClaimedSegment] = field(default_factory=list)
    claims: SegmentClaims | None = None


class OutboxMachine(RuleBasedStateMachine):
    """Tasks, senders, a user, a server that has bad days, and processes that are killed."""

    def __init__(self) -> None:
        super().__init__()
        self.path = Path(tempfile.mkdtemp(prefix="ryft-outbox-"), "outbox")
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(journal_module, "MAX_QUERIES", 2)
        logging.disable(logging.CRITICAL)
        self.sandbox = running_sandbox()
        self.sandbox.store.clear()
        self.now = 0.0
        self.processes: list[Process] = []
        self.count = 0
        self.begun: set[str] = set()
        self.ended: set[str] = set()  # acknowledged
        self.maybe: set[str] = set()  # their process died while it wrote them down
        self.gone: set[str] = set()  # evicted, or lost with a disk that took nothing; each was counted
        self.half_known: set[str] = set()  # the disk took their beginning, perhaps, and not their end
        self.interrupted = 0
        self.uncounted = 0
        self.counts_are_exact = True

    @initialize(deaths=st.booleans(), disk_faults=st.booleans(), bad_days=st.booleans())
    def begin_with_two_tasks(self, deaths: bool, disk_faults: bool, bad_days: bool) -> None:
        """Some runs are calmer than others: the calmer, the more exact is what must come out."""
        self.deaths, self.disk_faults, self.bad_days = deaths, disk_faults, bad_days
        self.start_task()
        self.start_task()

    def teardown(self) -> None:
        try:
            self.everything_arrives_in_the_end()
        finally:
            for process in self.processes:
                process.disk.kill()
            self.patch.undo()
            logging.disable(logging.NOTSET)
            shutil.rmtree(self.path.parent)

    # --- what happens

    @precondition(lambda self: len(self.processes) < 4)
    @rule()
    def start_task(self) -> None:
        disk = FailingDisk()
        outbox = Outbox(self.path, disk=disk, clock=self.clock, patience=0.0, max_age=WITHOUT_END)
        self.processes.append(Process(disk, outbox, outbox.open_journal()))

    @rule(which=st.integers(0, 3), kill=perhaps_killed(3, odds=8))
    def begin(self, which: int, kill: int | None) -> None:
        process = self.process(which)
        self.count += 1
        query_id = f"q{self.count}"
        self.begun.add(query_id)
        with self.mortal(process, kill):
            process.journal.record_start(query_id, line(query_id, interrupted=True))
            process.running.append(query_id)

    @rule(which=st.integers(0, 3), count=st.integers(1, 6))
    def run_statements(self, which: int, count: int) -> None:
        """Enough of them to fill a segment, while others run."""
        for _ in range(count):
            self.begin(which, None)
            self.end(which, False, True, None)

    @rule(
        which=st.integers(0, 3),
        poison=st.integers(0, 5).map(lambda number: number == 0),
        reported=st.integers(0, 5).map(lambda number: number > 0),
        kill=perhaps_killed(12, odds=6),
    )
    def end(self, which: int, poison: bool, reported: bool, kill: int | None) -> None:
        process = self.process(which)
        if process.running:
            query_id = process.running.pop(0)
        else:
            self.count += 1
            query_id = f"q{self.count}"
            self.begun.add(query_id)
        self.maybe.add(query_id)
        with self.mortal(process, kill):
            written = line(query_id, text=POISON if poison else "SELECT 1") if reported else None
            process.journal.record_end(query_id, written)
            self.maybe.discard(query_id)
            if not reported:
                self.begun.discard(query_id)
                if process.journal._memory_only:
                    self.maybe.add(query_id)
                return
            self.ended.add(query_id)
            if process.journal._memory_only:
                process.unsafe.add(query_id)
                self.half_known.add(query_id)

    @rule(which=st.integers(0, 3), answer=st.sampled_from(sorted(ANSWERS)), kill=perhaps_killed(40, odds=2))
    def flush(self, which: int, answer: str, kill: int | None) -> None:
        process = self.process(which)
        if process.claims is not None:
            return
        with self.server(answer), self.mortal(process, kill):
            before = self.safe()
            shipped = flush_journal(process.outbox, process.journal, self.client, deadline=20, leftovers=20)
            self.closed(process, before, shipped.lost)

    @rule(which=st.integers(0, 3), kill=perhaps_killed(40, odds=2))
    def close(self, which: int, kill: int | None) -> None:
        process = self.process(which)
        with self.mortal(process, kill):
            before = self.safe()
            self.closed(process, before, process.journal.close_journal().lost)

    @rule(
        which=st.integers(0, 3),
        answer=st.sampled_from(sorted(ANSWERS)),
        force=st.booleans(),
        kill=perhaps_killed(40, odds=2),
    )
    def ship(self, which: int, answer: str, force: bool, kill: int | None) -> None:
        process = self.process(which)
        with self.server(answer), self.mortal(process, kill):
            shipped = ship_outbox(process.outbox, self.client, deadline=20, force=force)
            note(str(shipped))

    @rule(which=st.integers(0, 3), kill=perhaps_killed(12, odds=3))
    def claim_and_keep(self, which: int, kill: int | None) -> None:
        """A sender takes segments, and is slow."""
        process = self.process(which)
        with self.mortal(process, kill):
            process.claims = process.claims or process.outbox.open_claims()
            for name in process.outbox.ready_segments()[:2]:
                try:
                    segment = process.claims.claim_segment(name)
                except OSError:
                    return
                if segment:
                    process.segments.append(segment)

    @rule(which=st.integers(0, 3), kill=perhaps_killed(12, odds=3))
    def deliver_some_and_give_back(self, which: int, kill: int | None) -> None:
        """The slow sender delivers one query of each segment, and gives back the others."""
        process = self.process(which)
        if process.claims is None:
            return
        claims, process.claims = process.claims, None
        segments, process.segments = process.segments, []
        with self.mortal(process, kill), claims:
            for segment in segments:
                number, first = next(iter(segment.lines.items()))
                if POISON.encode() in first:
                    continue
                with self.client() as client:
                    client.push_lines([first])
                self.uncounted += 1
                with self.may_fail():
                    claims.mark_settled(segment, [number])

    @rule(which=st.integers(0, 3), kill=perhaps_killed(20, odds=3))
    def adopt(self, which: int, kill: int | None) -> None:
        process = self.process(which)
        with self.mortal(process, kill):
            process.outbox.adopt_orphans()

    @rule(which=st.integers(0, 3), left=st.integers(0, 3), kill=perhaps_killed(8, odds=3))
    def evict(self, which: int, left: int, kill: int | None) -> None:
        process = self.process(which)
        before = ids_on_disk(self.path, "ready")
        process.outbox.max_segments = left
        evicted = None
        try:
            with self.mortal(process, kill):
                evicted = process.outbox.evict()
        finally:
            process.outbox.max_segments = 10_000
            missing = before - ids_on_disk(self.path, "ready")
            self.gone |= set(missing)
        if evicted is not None:
            assert evicted >= missing.total()  # dead letters, too
            self.gone |= {one for one in self.ended if one not in self.safe()} if evicted > missing.total() else set()

    @rule(which=st.integers(0, 3), kill=perhaps_killed(20, odds=3))
    def retry_dead(self, which: int, kill: int | None) -> None:
        process = self.process(which)
        with self.mortal(process, kill), self.may_fail():
            process.outbox.retry_dead()

    @rule(
        which=st.integers(0, 1),
        reason=st.sampled_from([None, None, None, errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO]),
    )
    def disk_stops_or_starts(self, which: int, reason: int | None) -> None:
        process = self.process(which)
        if self.disk_faults:
            process.disk.refuses_with = reason
            self.counts_are_exact = False

    @rule(which=st.integers(0, 3), luck=st.integers(0, 3))
    def kill(self, which: int, luck: int) -> None:
        if luck == 0 and self.deaths:
            self.dies(self.process(which))

    @rule(seconds=st.sampled_from([1.0, 40.0, 1_000.0, -10_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    # --- what must be true

    @invariant()
    def no_query_is_missing(self) -> None:
        missing = self.ended - self.safe() - self.gone
        assert not missing

    @invariant()
    def none_is_invented(self) -> None:
        assert self.safe() <= self.begun | self.maybe

    @invariant()
    def the_counters_tell_what_became_of_all(self) -> None:
        if not self.counts_are_exact or not self.processes:
            return
        stats = self.processes[0].outbox.stats()
        counters = stats.state.counters
        running = sum(len(process.running) for process in self.processes)
        kept = stats.running.queries - running + stats.ready.queries + stats.claimed.queries + stats.dead.queries
        evicted = sum(count for name, count in counters.items() if name.startswith("evicted"))
        assert counters["accepted"] + self.uncounted + kept + evicted == len(self.ended) + self.interrupted

    def everything_arrives_in_the_end(self) -> None:
        """The last process dies, the disk and the server recover, and a user ships and reads the dead letters."""
        exactly_once = self.counts_are_exact
        for process in list(self.processes):
            self.dies(process)
        self.sandbox.faults.set(Fault(refuse=POISON))
        outbox = Outbox(self.path, clock=self.clock, max_age=WITHOUT_END)
        self.begun.add("good")  # a server that refuses all there is would not be believed
        journal = outbox.open_journal()
        journal.record_end("good", line("good"))
        journal.close_journal()
        shipped = ship_outbox(outbox, self.client, deadline=30, force=True)
        assert shipped.problem == ""
        assert [list((self.path / place).iterdir()) for place in ("open", "ready", "claimed")] == [[], [], []]
        arrived = self.sandbox.records()
        dead = set(ids(letter.line for letter in outbox.dead_letters()))
        received = {record["queryId"] for record in arrived}
        assert self.ended <= received | dead | self.gone
        assert received | dead <= self.begun | self.maybe
        if exactly_once:
            assert len(received) == len(arrived)
        failed = {record["queryId"] for record in arrived if record["queryState"] == "FAILED"}
        assert not failed & (self.ended - self.half_known), "a statement that ended well was reported as interrupted"

    # --- how

    def clock(self) -> float:
        return START + self.now

    def client(self) -> IngestClient:
        return IngestClient(TOKEN, base_url=self.sandbox.url, max_batch_count=5)

    def process(self, which: int) -> Process:
        if not self.processes:
            self.start_task()
        return self.processes[which % len(self.processes)]

    def safe(self) -> set[str]:
        """Return the ids that are on disk, with the server, or in the memory of a process that lives."""
        found = set(ids_on_disk(self.path))
        found |= {record["queryId"] for record in self.sandbox.records()}
        for process in self.processes:
            found |= set(ids(list(process.journal.pending_queries().values())))
        return found

    def closed(self, process: Process, before: set[str], lost: int) -> None:
        missing = {one for one in self.ended & before if one not in self.safe()} - self.gone
        assert lost >= len(missing)
        assert lost == 0 or process.disk.refuses_with is not None
        self.gone |= missing
        self.interrupted += len(process.running)
        process.unsafe.clear()
        process.running.clear()

    def dies(self, process: Process) -> None:
        process.disk.kill()
        self.processes.remove(process)
        self.gone |= process.unsafe  # with neither disk nor process they are lost
        self.counts_are_exact = False

    @contextmanager
    def mortal(self, process: Process, steps: int | None) -> Iterator[None]:
        process.disk.steps_left = steps if self.deaths else None
        try:
            yield
        except Killed:
            self.dies(process)
        finally:
            process.disk.steps_left = None

    @contextmanager
    def may_fail(self) -> Iterator[None]:
        try:
            yield
        except OSError:
            self.counts_are_exact = False

    @contextmanager
    def server(self, answer: str) -> Iterator[None]:
        self.sandbox.faults.set(*(ANSWERS[answer] if self.bad_days else ()), Fault(refuse=POISON))
        try:
            yield
        finally:
            if self.bad_days and answer in ("loses its answer", "fails in the middle"):
                self.counts_are_exact = False
            self.sandbox.faults.set(Fault(refuse=POISON))


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(
    max_examples=100,
    stateful_step_count=50,
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a shrunk one takes minutes; take Phase.shrink in to debug
    suppress_health_check=[HealthCheck.too_slow],
)
