"""Keeps queries on disk until the server has accepted them.

.. code-block:: text

    journal of a process --- seal --> ready/ --- claim --> claimed/ --- the server accepted it --> gone
          open/                         ^  |                  |  '----- the server refused it --> dead/
            '---- its process died -----'  '- over a limit -> '- it could not --> back to ready/
                                                evicted

Every step is one rename, so a process that is killed at any point leaves each query in exactly one place, from where
the next process takes it on. What can happen twice is delivery: when a process dies after the server accepted a query
and before that is recorded, the query is sent again, with the same id.
"""

from __future__ import annotations

import logging
import os
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_provider_ryft.outbox.directory import CLAIMED, DEAD, FOLDERS, READY, OutboxDirectory, SegmentStorage
from airflow_provider_ryft.outbox.filesystem import FileSystem
from airflow_provider_ryft.outbox.journal import Journal
from airflow_provider_ryft.outbox.records import encode_segment
from airflow_provider_ryft.outbox.segment_name import SegmentName

if TYPE_CHECKING:  # what a task does not need before it delivers is imported by then
    from airflow_provider_ryft.outbox.circuit_breaker import BreakerPolicy
    from airflow_provider_ryft.outbox.claims import SegmentClaims
    from airflow_provider_ryft.outbox.dead_letters import DeadLetter
    from airflow_provider_ryft.outbox.shared_state import SharedState
    from airflow_provider_ryft.outbox.stats import OutboxStats
    from airflow_provider_ryft.results import RefusedQuery

log = logging.getLogger(__name__)


class BaseOutbox(ABC):
    """What can be done with queries that are to be delivered, whatever stores them.

    :param storage: where the segments are
    :param max_bytes: how much may wait to be sent; the oldest is removed then
    :param max_age: for how many seconds
    :param clock: seconds since 1970
    """

    max_segments = 10_000  # as many files may wait at the most

    def __init__(self, storage: SegmentStorage, max_bytes: int, max_age: float, clock: Callable[[], float]) -> None:
        self.path = storage.path  # the directory, or the URL as a user may see it
        self.max_bytes = max_bytes
        self.max_age = max_age
        self.report_disk_error = storage.report_disk_error
        self._storage = storage
        self._clock = clock

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"

    @property
    @abstractmethod
    def state(self) -> SharedState:
        """What all processes know together."""

    @property
    def disk_problem(self) -> str:
        """What is wrong with the storage, in a few sentences; empty if nothing is."""
        return self._storage.disk_problem

    def remaining_pause(self) -> float:
        """Return the seconds for which the circuit breaker stays open; 0 if something may be sent."""
        return self.state.read_state().breaker.remaining_pause(self._clock(), self.state.policy)

    @abstractmethod
    def try_writing(self) -> str:
        """Write something, and remove it; return what is wrong, in a few sentences, or nothing."""

    # --- what a sender does

    def ready_segments(self) -> list[SegmentName]:
        """Return the names of what waits to be sent, the oldest first."""
        try:
            return self._storage.segments(READY) if self._storage.exists() else []
        except OSError as error:
            self.report_disk_error(error)
            return []

    def open_claims(self) -> SegmentClaims:
        """Return what a sender claims segments with."""
        from airflow_provider_ryft.outbox.claims import SegmentClaims

        return SegmentClaims(self._storage, self._count_damaged)

    @abstractmethod
    def adopt_orphans(self) -> int:
        """Make ready what processes left behind that died; return the number of queries."""

    def add_dead_letters(self, refused: Iterable[RefusedQuery]) -> bool:
        """Keep queries that the server refused as dead letters; return whether that was possible."""
        letters = list(refused)
        if not letters:
            return True
        from airflow_provider_ryft.outbox import dead_letters

        for one in letters[:3]:
            log.warning("The Ingest API refused query %s (%d): %s", one.query_id, one.status, one.message)
        try:
            dead_letters.add_dead_letters(self._storage, letters)
        except OSError as error:
            self.report_disk_error(error)
            return False
        self.state.add_counts(refused=len(letters))
        return True

    def evict(self) -> int:
        """Remove what exceeds the limits, the oldest first; return the number of queries."""
        if not self._storage.exists():
            return 0
        from airflow_provider_ryft.outbox import housekeeping

        evicted: Counter[str] = Counter()
        try:
            limits = self.max_bytes, self.max_age, self.max_segments
            housekeeping.evict(self._storage, evicted, *limits, now=self._clock())
        except OSError as error:
            self.report_disk_error(error)
        if evicted:
            self.state.add_counts(**evicted)
            reasons = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in evicted.items())
            message = "Ryft's outbox %s was beyond its limits, and threw away its oldest queries: %s"
            log.warning(message, self.path, reasons)
        return evicted.total()

    # --- what the commands do

    def stats(self) -> OutboxStats:
        """Return what is in the outbox, and what went through it.

        :raises OSError: if it can't be read
        """
        from airflow_provider_ryft.outbox.stats import OutboxStats, folder_stats

        state, now = self.state.read_state(), self._clock()
        pause = state.breaker.remaining_pause(now, self.state.policy)
        running, ready, claimed, dead = (folder_stats(self._storage, folder, now) for folder in FOLDERS)
        return OutboxStats(running, ready, claimed, dead, state, pause)

    def dead_letters(self) -> Iterator[DeadLetter]:
        """Yield what the server refused, the oldest first.

        :raises OSError: if it can't be read
        """
        from airflow_provider_ryft.outbox.dead_letters import read_dead_letters

        for name in self._storage.segments(DEAD):
            with suppress(FileNotFoundError):
                yield from read_dead_letters(self._storage, name)

    def retry_dead(self) -> int:
        """Make dead letters ready to be sent again; return the number of queries.

        :raises OSError: if the storage does not take them
        """
        from airflow_provider_ryft.outbox.dead_letters import read_dead_letters

        retried = 0
        for name in self._storage.segments(DEAD):
            lines = [letter.line for letter in read_dead_letters(self._storage, name)]
            if lines:  # they get a new name, because with the age of the old one they might be too old to be sent
                try:
                    self._storage.add_segment(READY, len(lines), encode_segment(lines))
                except OSError as error:
                    raise OSError(self.report_disk_error(error)) from error
            self._storage.remove_segment(DEAD, name)
            retried += len(lines)
        return retried

    def purge(self, place: str) -> int:
        """Remove what waits to be sent, or the dead letters; return the number of queries.

        :param place: ``ready`` or ``dead``
        :raises ValueError: for another place
        :raises OSError: if the storage fails
        """
        if place not in (READY, DEAD):
            raise ValueError(f"place must be {READY} or {DEAD}, not {place!r}")
        names = self._storage.segments(place)
        purged = sum(name.queries for name in names if self._storage.remove_segment(place, name))
        self.state.add_counts(purged=purged)
        return purged

    def _count_damaged(self, queries: int) -> None:
        self.state.add_counts(damaged=queries)
        log.warning("%d queries in Ryft's outbox %s are damaged and can't be read any more.", queries, self.path)


class Outbox(BaseOutbox):
    """A directory of queries that are to be delivered; nothing is on disk before the first of them.

    Any number of processes may use it at once, also of several machines on a shared file system. The methods that a
    task's process calls raise nothing for what the disk does; the outbox says once what is wrong, and goes on without.

    :param path: of the directory; it belongs to this user, or is made
    :param max_bytes: and ``max_age`` and ``clock``: see :class:`BaseOutbox`
    :param breaker_policy: when the circuit breaker opens, and for how long
    :param patience: seconds that a task waits at the most for the state that it shares with other processes
    :param disk: what does the work
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = 256 << 20,
        max_age: float = 7 * 86400.0,
        breaker_policy: BreakerPolicy | None = None,
        clock: Callable[[], float] = time.time,
        patience: float = 0.05,
        disk: FileSystem | None = None,
    ) -> None:
        self._directory = OutboxDirectory(os.path.abspath(path), disk or FileSystem())
        super().__init__(self._directory, max_bytes, max_age, clock)
        self._breaker_policy = breaker_policy
        self._patience = patience

    @cached_property
    def state(self) -> SharedState:
        """What all processes know together."""
        from airflow_provider_ryft.outbox.circuit_breaker import BreakerPolicy
        from airflow_provider_ryft.outbox.shared_state import SharedState

        path, disk = self._directory.path_of("state.json"), self._directory.disk
        return SharedState(path, disk, self._clock, self._breaker_policy or BreakerPolicy(), self._patience)

    def open_journal(self) -> Journal:
        """Return a new journal for the statements of this process."""
        return Journal(self._directory, self.evict, self._count_lost)

    def try_writing(self) -> str:
        """Write a journal, and remove it; return what is wrong, in a few sentences, or nothing."""
        journal = self.open_journal()
        journal.record_start("a try", b"{}")
        journal.record_end("a try", None)
        journal.close_journal()
        return self.disk_problem

    def count_queries(self, stems: Collection[str]) -> int | None:
        """Return the number of queries that wait, or are being sent, in files of these names; ``None`` if unknown."""
        try:
            names = [name for folder in (READY, CLAIMED) for name in self._directory.segments(folder)]
        except OSError as error:
            self.report_disk_error(error)
            return None
        return sum(name.queries for name in names if name.stem in stems)

    def adopt_orphans(self) -> int:
        """Make ready what processes left behind that died; return the number of queries."""
        from airflow_provider_ryft.outbox import housekeeping

        return housekeeping.adopt_orphans(self._directory)

    def _count_lost(self, queries: int) -> None:
        self.state.add_counts(lost=queries)
        log.warning("%d queries are lost: they could neither be delivered nor be kept in %s.", queries, self.path)
