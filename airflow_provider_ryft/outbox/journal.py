"""What the statements of one task process were: on disk from the moment that each of them begins.

The page cache survives the process, so nothing is synced while a task runs: that costs microseconds, and a sync may
take longer than the task's own work. What a power cut would take is synced when the journal is closed.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from threading import RLock
from typing import NamedTuple

from airflow_provider_ryft.outbox.directory import READY, OutboxDirectory
from airflow_provider_ryft.outbox.journal_file import JournalFile
from airflow_provider_ryft.outbox.records import BEGIN, DROP, END, SENT, record

MAX_QUERIES = 500
MAX_BYTES = 1 << 20
_MAX_FILE = 4 << 20
_MAX_MEMORY = 32 << 20


class CloseResult(NamedTuple):
    """What became of the queries of a journal that was closed, except those that were settled."""

    kept: int = 0  # how many are on disk, to be sent later
    lost: int = 0  # how many are nowhere, because there was no disk to keep them
    stems: frozenset[str] = frozenset()  # of the files that they are in


class Journal:
    """The statements of this process; :meth:`Outbox.open_journal` makes one. For any number of threads.

    No method raises for what a disk does. What ends is kept in memory too, until there is enough for a request of its
    own: then it is sealed, to be sent by any process. A child that is forked begins with an empty journal, because what
    its parent wrote is its parent's.

    :param directory: of the outbox
    :param on_sealed: called after something was added to what is ready
    :param on_lost: called with the number of queries that could neither be delivered nor kept
    """

    def __init__(
        self, directory: OutboxDirectory, on_sealed: Callable[[], object], on_lost: Callable[[int], object]
    ) -> None:
        self._directory = directory
        self._on_sealed = on_sealed
        self._on_lost = on_lost
        # Reentrant, because a signal's handler may run a statement in the middle of another one.
        self._lock = RLock()
        self._next = 0  # never starts again, because a sender may still have numbers from before the journal was closed
        self._reset()
        _journals.add(self)

    def _reset(self) -> None:
        self._file: JournalFile | None = None
        self._numbers: dict[str, int] = {}
        self._running: dict[int, bytes] = {}
        self._ended: dict[int, bytes] = {}
        self._unsaved: set[int] = set()
        self._bytes = 0
        self._memory_only = False
        self._try_again_at = 0
        self._kept = 0
        self._lost = 0
        self._stems: set[str] = set()
        self._unsynced: list[str] = []

    def record_start(self, query_id: str, line: bytes) -> None:
        """Record that a statement is about to run.

        :param query_id: names it until its end
        :param line: the query to report if this process dies before that
        """
        with self._lock:
            number = self._numbers[query_id] = self._numbers.get(query_id) or self._new_number()
            self._running[number] = line
            self._write(record(BEGIN, number, line))

    def record_end(self, query_id: str, line: bytes | None) -> None:
        """Record that a statement ended; also one whose start is unknown.

        :param line: the query to report; ``None`` if there is none after all
        """
        with self._lock:
            number = self._numbers.pop(query_id, 0) or self._new_number()
            if line is None:
                if self._running.pop(number, None):
                    self._write(record(DROP, number))
                self._make_room()
                return
            if self._ended and self._bytes + len(line) + 2 > MAX_BYTES:
                self._roll()
            # Memory first, and the disk then: an exception that a signal raises in between loses nothing.
            self._ended[number] = line
            self._unsaved.add(number)
            self._bytes += len(line) + 1
            self._running.pop(number, None)
            if self._write(record(END, number, line)):
                self._unsaved.discard(number)
            self._make_room()

    def pending_queries(self) -> dict[int, bytes]:
        """Return the queries that ended and were neither settled nor sealed, by the numbers of :meth:`mark_settled`."""
        with self._lock:
            return dict(self._ended)

    def mark_settled(self, numbers: Iterable[int]) -> None:
        """Forget queries that are accepted or stored as dead letters."""
        with self._lock:
            settled = [number for number in numbers if number in self._ended]
            if len(settled) < len(self._ended) or self._running:  # else the file is about to go
                self._write(b"".join(record(SENT, number) for number in settled))
            for number in settled:
                self._forget(number)

    def close_journal(self, *, synced: bool = True) -> CloseResult:
        """Seal what there is; statements that still run are reported as interrupted. The journal can be used again.

        :param synced: whether to wait until all of it would survive a power cut
        :return: what became of the queries that were not settled, those that were sealed before included
        """
        with self._lock:
            if not self._ended and not self._running:
                if self._file is not None:
                    self._file.discard()
            elif not any(self._seal(self._running, synced=synced) for _ in range(2)):
                self._salvage()
            if synced:
                self._sync()
            closed = CloseResult(self._kept, self._lost, frozenset(self._stems))
            self._reset()
            return closed

    # --- memory

    def _new_number(self) -> int:
        self._next += 1
        return self._next

    def _forget(self, number: int) -> None:
        self._bytes -= len(self._ended.pop(number)) + 1
        self._unsaved.discard(number)

    def _make_room(self) -> None:
        if len(self._ended) >= MAX_QUERIES or (self._file and self._file.size > _MAX_FILE):
            self._roll()
        if self._bytes > _MAX_MEMORY:
            self._lose(self._oldest(self._bytes - _MAX_MEMORY // 2))

    def _oldest(self, size: int) -> Iterator[int]:
        """Yield the oldest of what ended, until it comes to so many bytes."""
        for number, line in self._ended.items():
            if size <= 0:
                return
            yield number
            size -= len(line)

    def _lose(self, numbers: Iterable[int]) -> None:
        lost = list(numbers)
        for number in lost:
            self._forget(number)
        if lost:
            self._lost += len(lost)
            self._on_lost(len(lost))

    # --- disk

    def _write(self, records: bytes) -> bool:
        """Append to the file, which is made with the first record; return whether it was possible."""
        if self._memory_only or not records:
            return False
        try:
            if self._file is None:
                self._file = JournalFile(self._directory, records)
            else:
                self._file.append_records(records)
        except OSError as error:
            self._memory_only = True
            self._directory.report_disk_error(error)
            return False
        return True

    def _roll(self) -> None:
        """Seal what ended, and go on with a new file that knows what runs.

        If the disk does not do that, nothing changes, and it is tried again much later.
        """
        if self._next < self._try_again_at:
            return
        begun = _records(BEGIN, self._running)
        try:
            new = JournalFile(self._directory, begun) if begun else None
        except OSError as error:
            self._directory.report_disk_error(error)
            self._try_again_at = self._next + MAX_QUERIES
            return
        if not self._ended and self._file is not None:
            self._file.discard()
        if not self._ended or self._seal({}, synced=False):
            self._file = new
            return
        if new is not None:
            new.discard()
        self._write(begun)  # their end was written already
        self._try_again_at = self._next + MAX_QUERIES

    def _seal(self, interrupted: dict[int, bytes], *, synced: bool) -> bool:
        """Move what ended to what is ready; return whether it was possible.

        :param interrupted: running statements that are to be reported as they are now; those that run on are left out
        """
        elsewhere = [number for number in self._running if number not in interrupted]
        try:
            file = self._file
            if file is None or self._unsaved or self._memory_only or not file.exists():
                file = self._rewrite(interrupted)
            else:
                file.append_records(b"".join(record(DROP, number) for number in elsewhere))
            self._seal_file(file, len(self._ended) + len(interrupted), synced=synced)
        except FileNotFoundError:  # another process removed folders
            with suppress(OSError):
                self._directory.prepare()
            return False
        except OSError as error:
            self._directory.report_disk_error(error)
            return False
        self._kept += len(self._ended) + len(interrupted)
        self._ended.clear()
        self._bytes = 0
        self._on_sealed()
        return True

    def _rewrite(self, interrupted: dict[int, bytes]) -> JournalFile:
        """Replace the file by one that holds all of it."""
        new = JournalFile(self._directory, _records(BEGIN, interrupted) + _records(END, self._ended))
        if self._file is not None:
            new.replace_file(self._file)
        self._file = new
        self._unsaved.clear()
        self._memory_only = False
        return new

    def _seal_file(self, file: JournalFile, queries: int, *, synced: bool) -> None:
        self._stems.add(file.name.stem)
        path = file.seal(queries, synced=synced)
        if not synced:
            self._unsynced.append(path)
        self._file = None

    def _sync(self) -> None:
        """Wait for the disk to have what was sealed while the task ran; what was sent since is gone."""
        disk = self._directory.disk
        try:
            for path in self._unsynced:
                disk.sync_file(path)
            if self._unsynced:
                disk.sync_folder(self._directory.path_of(READY))
        except OSError as error:
            self._directory.report_disk_error(error)

    def _salvage(self) -> None:
        """Keep what the disk holds already, when it takes no more."""
        file = self._file
        if file is None or not file.exists():
            self._lose(self._ended)
            return
        file.drop_records(self._unsaved)  # they ended, and must not be reported as interrupted
        self._lose(self._unsaved)
        queries = len(self._ended) + len(self._running)
        with suppress(OSError):  # where it is now, it is found too
            self._seal_file(file, queries, synced=True)
        self._kept += queries


def _records(kind: bytes, lines: Mapping[int, bytes]) -> bytes:
    return b"".join(record(kind, number, line) for number, line in lines.items())


_journals: weakref.WeakSet[Journal] = weakref.WeakSet()


def _release_in_child() -> None:
    """Leave what a forked child inherited to its parent: close it, without an end to the parent's lock."""
    for journal in list(_journals):
        if journal._file is not None:
            journal._file.close_file()
        journal._lock = RLock()  # another thread of the parent may have held it
        journal._reset()


os.register_at_fork(after_in_child=_release_in_child)
