"""Which sender has which segment: a claim locks it and moves it aside, so that no two senders have it.

No new file is needed for that, so a disk that is full can still be emptied. The lock ends with the process that holds
it; what it leaves behind is an orphan, see :meth:`Outbox.adopt_orphans`. An object store has neither locks nor orphans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from airflow_provider_ryft.outbox.directory import ClaimedSegment, SegmentStorage
from airflow_provider_ryft.outbox.records import replay
from airflow_provider_ryft.outbox.segment_name import SegmentName

# Each claimed segment is an open file, of which a process may have 1024 by default.
MAX_CLAIMS = 64


class SegmentClaims:
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

    def __exit__(self, *_error: object) -> None:
        self.give_back()

    def __len__(self) -> int:
        return len(self._held)

    def claim_segment(self, name: SegmentName) -> ClaimedSegment | None:
        """Take a segment that is ready.

        :return: ``None`` if another sender has it, or there is nothing in it
        :raises OSError: if the storage fails
        """
        taken = self._storage.take_segment(name)
        if taken is None:
            return None
        segment, data = taken
        self._held.append(segment)
        found = replay(data)
        segment.lines = found.lines
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
        """Make ready again what is not settled, and return the names that it has there.

        What a disk does not move is adopted by another process.
        """
        names = []
        while self._held:
            try:
                names.append(self._storage.restore_segment(self._held.pop(0)))
            except OSError as error:
                self._storage.report_disk_error(error)
        return names

    def _remove(self, segment: ClaimedSegment) -> None:
        self._storage.remove_claimed(segment)
        self._held.remove(segment)
