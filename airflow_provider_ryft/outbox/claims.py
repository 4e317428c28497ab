"""Which sender has which segment: a claim locks it and moves it aside, so that no two senders have it.

No new file is needed for that, so a disk that is full can still be emptied. The lock ends with the process that holds
it; what it leaves behind is an orphan, see :meth:`Outbox.adopt_orphans`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType

from airflow_provider_ryft.outbox.directory import CLAIMED, READY, OutboxDirectory, SegmentStorage
from airflow_provider_ryft.outbox.records import SENT, record, replay
from airflow_provider_ryft.outbox.segment_name import SegmentName

# Each claimed segment is an open file, of which a process may have 1024 by default.
MAX_CLAIMS = 64


@dataclass(eq=False)
class ClaimedSegment:
    """A segment that is ours for now.

    :param name: its name
    :param lines: its queries that are not settled, by number
    :param size: its bytes
    :param descriptor: the open file, which holds the lock, if there is one
    :param settled: numbers of those that are settled, which the file does not know yet
    """

    name: SegmentName
    lines: dict[int, bytes]
    size: int
    descriptor: int = -1
    settled: list[int] = field(default_factory=list)


class SegmentClaims(ABC):
    """The segments of one sender: a context manager, which gives back what is not settled at its end.

    :param storage: of the outbox
    :param on_damaged: called with the number of queries that can't be read any more
    """

    def __init__(self, storage: SegmentStorage, on_damaged: Callable[[int], None]) -> None:
        self._storage = storage
        self._on_damaged = on_damaged
        self._held: list[ClaimedSegment] = []

    def __enter__(self) -> SegmentClaims:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.give_back()

    def __len__(self) -> int:
        return len(self._held)

    def claim_segment(self, name: SegmentName) -> ClaimedSegment | None:
        """Take a segment that is ready.

        :return: ``None`` if another sender has it, or there is nothing in it
        :raises OSError: if the storage fails
        """
        taken = self._take(name)
        if taken is None:
            return None
        data, descriptor = taken
        found = replay(data)
        segment = ClaimedSegment(name, found.lines, len(data), descriptor)
        self._held.append(segment)
        if found.damaged:
            self._on_damaged(found.damaged)
        if not segment.lines:
            self._remove(segment)
            return None
        return segment

    def mark_settled(self, segment: ClaimedSegment, numbers: Iterable[int]) -> None:
        """Forget queries that are accepted or stored as dead letters."""
        for number in numbers:
            del segment.lines[number]
            segment.settled.append(number)
        if not segment.lines:
            self._remove(segment)

    def give_back(self) -> list[SegmentName]:
        """Move what is not settled to where it came from, and return the names that it has there.

        What a disk does not move is adopted by another process.
        """
        names = []
        for segment in list(self._held):
            try:
                names.append(self._restore(segment))
            except OSError as error:
                self._storage.report_disk_error(error)
            finally:
                self._release(segment)
        return names

    def _remove(self, segment: ClaimedSegment) -> None:
        self._delete(segment)
        self._release(segment)

    def _release(self, segment: ClaimedSegment) -> None:
        self._held.remove(segment)

    @abstractmethod
    def _take(self, name: SegmentName) -> tuple[bytes, int] | None:
        """Return what is in a segment, and the descriptor that holds its lock; ``None`` if it can't be claimed."""

    @abstractmethod
    def _restore(self, segment: ClaimedSegment) -> SegmentName:
        """Make ready what is not settled of a segment, and return its name."""

    @abstractmethod
    def _delete(self, segment: ClaimedSegment) -> None:
        """Remove a segment that is settled."""


class LockedClaims(SegmentClaims):
    """Segments that are locked, and moved to a folder for as long as they are claimed.

    :param directory: of the outbox
    :param on_damaged: called with the number of queries that can't be read any more
    """

    def __init__(self, directory: OutboxDirectory, on_damaged: Callable[[int], None]) -> None:
        super().__init__(directory, on_damaged)
        self._directory = directory
        self._disk = directory.disk

    def _take(self, name: SegmentName) -> tuple[bytes, int] | None:
        ready, claimed = (self._directory.path_of(folder, str(name)) for folder in (READY, CLAIMED))
        try:
            descriptor = self._disk.lock(ready)
        except FileNotFoundError:
            return None
        if descriptor is None:
            return None
        try:
            if self._disk.move_if_there(ready, claimed):
                return self._disk.read(claimed), descriptor
        except BaseException:
            self._disk.close(descriptor)
            raise
        self._disk.close(descriptor)
        return None

    def _restore(self, segment: ClaimedSegment) -> SegmentName:
        records = b"".join(record(SENT, number) for number in segment.settled)
        name = segment.name
        if records:
            self._disk.append(segment.descriptor, records)
            name = name.holding(len(segment.lines), segment.size + len(records))
        claimed = self._directory.path_of(CLAIMED, str(segment.name))
        self._disk.replace(claimed, self._directory.path_of(READY, str(name)))
        return name

    def _delete(self, segment: ClaimedSegment) -> None:
        self._directory.remove_segment(CLAIMED, segment.name)

    def _release(self, segment: ClaimedSegment) -> None:
        self._disk.close(segment.descriptor)
        super()._release(segment)
