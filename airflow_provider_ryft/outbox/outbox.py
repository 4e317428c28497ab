"""Keeps queries on disk until the server has taken them.

.. code-block:: text

    journal of a process --- seal --> ready/ --- claim --> claimed/ --- the server took it --> gone
          open/                         ^  |                  |  '----- the server refused --> dead/
            '---- its process died -----'  '- over a cap ->   '- it could not --> back to ready/
                                                evicted

Every step is one rename, so a process that is killed at any point leaves each query in exactly one place, from where
the next process takes it on. What can happen twice is delivery: when a process dies after the server took a query and
before that is written down, the query is sent again, with the same id.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_ryft.outbox.directory import CLAIMED, DEAD, OPEN, READY, UNFINISHED, OutboxDirectory
from airflow_provider_ryft.outbox.filesystem import FileSystem
from airflow_provider_ryft.outbox.journal import Journal
from airflow_provider_ryft.outbox.records import replay
from airflow_provider_ryft.outbox.segment_name import SegmentName, size_of

if TYPE_CHECKING:  # what a task does not need before it delivers is imported by then
    from airflow_provider_ryft.outbox.circuit_breaker import BreakerPolicy
    from airflow_provider_ryft.outbox.claims import SegmentClaims
    from airflow_provider_ryft.outbox.dead_letters import DeadLetter
    from airflow_provider_ryft.outbox.shared_state import SharedState
    from airflow_provider_ryft.outbox.stats import FolderStats, OutboxStats
    from airflow_provider_ryft.results import RefusedQuery

MAX_DEAD_BYTES = 32 << 20
MAX_DEAD_AGE = 30 * 86400.0

log = logging.getLogger(__name__)


class Outbox:
    """A folder of queries that are to be delivered; nothing is on disk before the first of them.

    Any number of processes may use it at once, also of several machines on a shared file system. The methods that a
    task's process calls raise nothing for what the disk does; the outbox says once what is wrong, and goes on without.

    :param path: of the folder; it belongs to this user, or is made
    :param max_bytes: how much may wait to be sent; the oldest is thrown away then
    :param max_age: for how many seconds
    :param max_segments: in how many files
    :param breaker_policy: when the circuit breaker opens, and for how long
    :param clock: seconds since 1970
    :param patience: seconds that a task waits at the most for the state that it shares with others
    :param disk: what does the work
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = 256 << 20,
        max_age: float = 7 * 86400.0,
        max_segments: int = 10_000,
        breaker_policy: BreakerPolicy | None = None,
        clock: Callable[[], float] = time.time,
        patience: float = 0.05,
        disk: FileSystem | None = None,
    ) -> None:
        self.path = os.path.abspath(os.fspath(path))
        self.max_bytes = max_bytes
        self.max_age = max_age
        self.max_segments = max_segments
        self._clock = clock
        self._breaker_policy = breaker_policy
        self._patience = patience
        self._disk = disk or FileSystem()
        self._folder = OutboxDirectory(self.path, self._disk)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"

    @cached_property
    def state(self) -> SharedState:
        """What all processes know together."""
        from airflow_provider_ryft.outbox.circuit_breaker import BreakerPolicy
        from airflow_provider_ryft.outbox.shared_state import SharedState

        path = self._folder.path_of("state.json")
        return SharedState(path, self._disk, self._clock, self._breaker_policy or BreakerPolicy(), self._patience)

    @property
    def disk_problem(self) -> str:
        """What is wrong with the disk, in a few sentences; empty if nothing is."""
        return self._folder.disk_problem

    def report_disk_error(self, error: OSError) -> str:
        """Say what is wrong with the disk, in the log only once; nothing else comes of it."""
        return self._folder.report_disk_error(error)

    def remaining_pause(self) -> float:
        """Return the seconds for which the circuit breaker stays open; 0 if something may be sent."""
        return self.state.read_state().breaker.remaining_pause(self._clock(), self.state.policy)

    def try_writing(self) -> str:
        """Write a file, and remove it; return what is wrong, in a few sentences, or nothing."""
        journal = self.open_journal()
        journal.record_start("a try", b"{}")
        journal.record_end("a try", None)
        journal.close_journal()
        return self.disk_problem

    def open_journal(self) -> Journal:
        """Return a new journal for the statements of this process."""
        return Journal(self._folder, self.evict, self._lost)

    # --- what a sender does

    def ready_segments(self) -> list[SegmentName]:
        """Return the names of what waits to be sent, the oldest first."""
        if not self._folder.exists():
            return []
        try:
            return self._folder.segment_names(READY)
        except OSError as error:
            self._folder.report_disk_error(error)
            return []

    def count_queries(self, stems: Collection[str]) -> int | None:
        """Return the number of queries that wait, or are being sent, in some files; ``None`` if it can't be told.

        :param stems: what the names of the files begin with
        """
        try:
            names = [name for place in (READY, CLAIMED) for name in self._folder.segment_names(place)]
        except OSError as error:
            self._folder.report_disk_error(error)
            return None
        return sum(name.queries for name in names if name.stem in stems)

    def open_claims(self) -> SegmentClaims:
        """Return what a sender takes segments with."""
        from airflow_provider_ryft.outbox.claims import SegmentClaims

        return SegmentClaims(self._folder, self._damaged)

    def add_dead_letters(self, refused: Iterable[RefusedQuery]) -> bool:
        """Keep queries that the server refused as dead letters; tell whether that was possible."""
        letters = list(refused)
        if not letters:
            return True
        for one in letters[:3]:
            log.warning("The Ingest API refused query %s (%d): %s", one.query_id, one.status, one.message)
        try:
            self._bury(letters)
        except OSError as error:
            self._folder.report_disk_error(error)
            return False
        self.state.add_counts(refused=len(letters))
        return True

    def adopt_orphans(self) -> int:
        """Make ready what processes left behind that died; return the number of queries.

        A statement that was running then is reported as its process wrote it down for that case.
        """
        if not self._folder.exists():
            return 0
        adopted = 0
        for place in (OPEN, CLAIMED, DEAD):
            try:
                adopted += self._adopt(place)
            except OSError as error:
                self._folder.report_disk_error(error)
        return adopted

    def evict(self) -> int:
        """Throw away what is beyond the caps, the oldest first; return the number of queries."""
        evicted: Counter[str] = Counter()
        if not self._folder.exists():
            return 0
        try:
            evicted += self._evict(READY, self.max_bytes, self.max_age)
            buried = self._evict(DEAD, MAX_DEAD_BYTES, MAX_DEAD_AGE)
            evicted.update({f"{reason}_of_dead": count for reason, count in buried.items()})
        except OSError as error:
            self._folder.report_disk_error(error)
        if evicted:
            self.state.add_counts(**evicted)
            reasons = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in evicted.items())
            log.warning(
                "Ryft's outbox %s was beyond its limits, and threw away its oldest queries: %s", self.path, reasons
            )
        return evicted.total()

    # --- what a person does

    def stats(self) -> OutboxStats:
        """Return what is in the outbox, and what went through it.

        :raises OSError: if it can't be read
        """
        from airflow_provider_ryft.outbox.stats import OutboxStats

        state = self.state.read_state()
        return OutboxStats(
            running=self._contents(OPEN),
            ready=self._contents(READY),
            claimed=self._contents(CLAIMED),
            dead=self._contents(DEAD),
            state=state,
            remaining_pause=state.breaker.remaining_pause(self._clock(), self.state.policy),
        )

    def dead_letters(self) -> Iterator[DeadLetter]:
        """Yield what the server refused, the oldest first.

        :raises OSError: if it can't be read
        """
        from airflow_provider_ryft.outbox import dead_letters

        for name in self._folder.segment_names(DEAD):
            with suppress(FileNotFoundError):
                yield from dead_letters.read(self._folder, name)

    def retry_dead(self) -> int:
        """Make dead letters ready to be sent once more; return the number of queries.

        :raises OSError: if the disk does not take them
        """
        from airflow_provider_ryft.outbox import dead_letters

        retried = 0
        for name in self._folder.segment_names(DEAD):
            journal = self.open_journal()
            letters = list(dead_letters.read(self._folder, name))
            for letter in letters:
                journal.record_end(str(letter.payload.get("queryId")), letter.line)
            if journal.close_journal().lost:
                raise OSError(self.disk_problem)
            self._disk.remove(self._folder.path_of(DEAD, str(name)))
            retried += len(letters)
        return retried

    def purge(self, place: str) -> int:
        """Throw away what waits to be sent, or the dead letters; return the number of queries.

        :param place: ``ready`` or ``dead``
        :raises ValueError: for another place
        :raises OSError: if the disk does not let us
        """
        if place not in (READY, DEAD):
            raise ValueError(f"place must be {READY} or {DEAD}, not {place!r}")
        purged = sum(name.queries for name in self._folder.segment_names(place) if self._remove(place, name))
        self.state.add_counts(purged=purged)
        return purged

    # --- how

    def _bury(self, refused: list[RefusedQuery]) -> None:
        from airflow_provider_ryft.outbox import dead_letters

        dead_letters.add_dead_letters(self._folder, refused)

    def _adopt(self, place: str) -> int:
        adopted = 0
        for text in self._disk.names(self._folder.path_of(place)):
            name = SegmentName.parse(text.replace(UNFINISHED, ".ndjson"))
            if name is None or (place == DEAD and not text.endswith(UNFINISHED)):
                continue
            path = self._folder.path_of(place, text)
            descriptor = self._folder.lock_orphan(name, path)
            if descriptor is None:
                continue
            try:
                adopted += self._adopt_file(name, path, descriptor)
            finally:
                self._disk.close(descriptor)
        return adopted

    def _adopt_file(self, name: SegmentName, path: str, descriptor: int) -> int:
        data = self._disk.read(path)
        found = replay(data)
        if not found.lines:
            self._disk.remove(path)
            return 0
        self._disk.sync(descriptor)
        ready = self._folder.path_of(READY, str(name.holding(len(found.lines), len(data))))
        self._disk.publish(path, ready)
        if found.interrupted:
            log.warning(
                "%d statements of process %d on %s never ended, because the process was killed; they are reported as "
                "failed.",
                found.interrupted,
                name.pid,
                name.host,
            )
        return len(found.lines)

    def _evict(self, place: str, max_bytes: int, max_age: float) -> Counter[str]:
        evicted: Counter[str] = Counter()
        born = int((self._clock() - max_age) * 1e9)
        texts = self._disk.names(self._folder.path_of(place))
        size, files = sum(map(size_of, texts)), len(texts)
        for text in texts:  # the oldest first
            if size <= max_bytes and files <= self.max_segments and text > f"{max(born, 0):020d}":
                break
            name = SegmentName.parse(text)
            if name is None:
                continue
            reason = "bytes" if size > max_bytes else "number" if files > self.max_segments else "age"
            size, files = size - name.size, files - 1
            if self._remove(place, name):
                evicted[f"evicted_for_{reason}"] += name.queries
        return evicted

    def _remove(self, place: str, name: SegmentName) -> bool:
        return self._disk.remove(self._folder.path_of(place, str(name)))

    def _contents(self, place: str) -> FolderStats:
        from airflow_provider_ryft.outbox.stats import FolderStats

        names = self._folder.segment_names(place)
        if place == OPEN:
            names = [name.holding(*self._measure(name)) for name in names]
        oldest = min((name.created for name in names), default=None)
        return FolderStats(
            files=len(names),
            queries=sum(name.queries for name in names),
            bytes=sum(name.size for name in names),
            age=0.0 if oldest is None else max(0.0, self._clock() - oldest / 1e9),
        )

    def _measure(self, name: SegmentName) -> tuple[int, int]:
        """Count what a journal holds now: queries and bytes."""
        try:
            data = self._disk.read(self._folder.path_of(OPEN, str(name)))
        except FileNotFoundError:
            return 0, 0
        return len(replay(data).lines), len(data)

    def _damaged(self, queries: int) -> None:
        self.state.add_counts(damaged=queries)
        log.warning("%d queries in Ryft's outbox %s are damaged and can't be read any more.", queries, self.path)

    def _lost(self, queries: int) -> None:
        self.state.add_counts(lost=queries)
        log.warning("%d queries are lost: they could neither be delivered nor be kept in %s.", queries, self.path)
