"""Who sends what: a segment is claimed by locking it and moving it aside, so that it is never with two senders.

No new file is needed for that, so a disk that is full can still be emptied. The lock ends with the process that holds
it; what it leaves behind is an orphan, see :meth:`Outbox.adopt_orphans`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType

from airflow_provider_ryft.outbox.directory import CLAIMED, READY, OutboxDirectory
from airflow_provider_ryft.outbox.records import SENT, record, replay
from airflow_provider_ryft.outbox.segment_name import SegmentName

# Each claimed segment is an open file, of which a process may have 1024 by default.
MAX_CLAIMS = 64


@dataclass(eq=False)
class ClaimedSegment:
    """A segment that is ours for now.

    :param name: its name
    :param descriptor: the open file, which holds the lock
    :param lines: its queries that are not settled, by number
    :param size: its bytes
    :param settled: numbers of those that are settled, which the file does not know yet
    """

    name: SegmentName
    descriptor: int
    lines: dict[int, bytes]
    size: int
    settled: list[int] = field(default_factory=list)


class SegmentClaims:
    """The segments of one sender: a context manager, which gives back what is not settled at its end.

    :param folder: of the outbox
    :param damaged: called with the number of queries that can't be read any more
    """

    def __init__(self, folder: OutboxDirectory, damaged: Callable[[int], None]) -> None:
        self._folder = folder
        self._disk = folder.disk
        self._on_damaged = damaged
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

        :return: ``None`` if somebody else has it, or there is nothing in it
        :raises OSError: if the disk does not let us
        """
        ready, claimed = (self._folder.path_of(place, str(name)) for place in (READY, CLAIMED))
        try:
            descriptor = self._disk.lock(ready)
        except FileNotFoundError:
            return None
        if descriptor is None:
            return None
        try:
            if not self._disk.claim(ready, claimed):
                self._disk.close(descriptor)
                return None
            data = self._disk.read(claimed)
        except BaseException:
            self._disk.close(descriptor)
            raise
        found = replay(data)
        segment = ClaimedSegment(name, descriptor, found.lines, len(data))
        self._held.append(segment)
        if found.damaged:
            self._on_damaged(found.damaged)
        if not segment.lines:
            self._remove(segment)
            return None
        return segment

    def mark_settled(self, segment: ClaimedSegment, numbers: Iterable[int]) -> None:
        """Forget queries that are in good hands: the server took them, or they are dead letters."""
        for number in numbers:
            del segment.lines[number]
            segment.settled.append(number)
        if not segment.lines:
            self._remove(segment)

    def give_back(self) -> list[SegmentName]:
        """Move what is not settled to where it came from, and return the names that it has there.

        What the disk holds back is adopted by another process.
        """
        names = []
        for segment in list(self._held):
            try:
                names.append(self._give_back(segment))
            except OSError as error:
                self._folder.report_disk_error(error)
            finally:
                self._close(segment)
        return names

    def _give_back(self, segment: ClaimedSegment) -> SegmentName:
        records = b"".join(record(SENT, number) for number in segment.settled)
        name = segment.name
        if records:
            self._disk.append(segment.descriptor, records)
            name = name.holding(len(segment.lines), segment.size + len(records))
        claimed = self._folder.path_of(CLAIMED, str(segment.name))
        self._disk.replace(claimed, self._folder.path_of(READY, str(name)))
        return name

    def _remove(self, segment: ClaimedSegment) -> None:
        self._disk.remove(self._folder.path_of(CLAIMED, str(segment.name)))
        self._close(segment)

    def _close(self, segment: ClaimedSegment) -> None:
        self._disk.close(segment.descriptor)
        self._held.remove(segment)
