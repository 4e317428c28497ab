"""Goes through what is ready to be sent, the oldest first."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from airflow_provider_ryft.outbox.claims import MAX_CLAIMS, SegmentClaims
from airflow_provider_ryft.outbox.directory import ClaimedSegment
from airflow_provider_ryft.outbox.outbox import BaseOutbox
from airflow_provider_ryft.outbox.segment_name import SegmentName
from airflow_provider_ryft.shipping.sender import Sender

if TYPE_CHECKING:
    from airflow_provider_ryft.ingest.push import BatchLimits


def drain_ready(outbox: BaseOutbox, sender: Sender) -> Counter[str]:
    """Send what is ready; return how many queries were settled, by the stem of their segment."""
    with outbox.open_claims() as claims:
        drain = ReadyDrain(outbox, sender, claims)
        try:
            drain.run()
        except OSError as error:
            sender.result.problem = outbox.report_disk_error(error)
    return drain.settled_of


class ReadyDrain:
    """One way through what is ready in an outbox."""

    def __init__(self, outbox: BaseOutbox, sender: Sender, claims: SegmentClaims) -> None:
        self._outbox = outbox
        self._sender = sender
        self._claims = claims
        self._seen: set[str] = set()
        self._queue: deque[SegmentName] = deque()
        self._next: ClaimedSegment | None = None
        self._asked_newest = False
        self.settled_of: Counter[str] = Counter()

    def run(self) -> None:
        """Send what is there, and what arrives meanwhile."""
        while self._look() and (client := self._sender.open_client()):
            self._send(self._group(client.limits))
            if self._sender.suspected_contract_error:
                self._ask_newest()

    def _look(self) -> bool:
        """Return whether something is left; look again when the list is at its end."""
        if not self._queue and self._next is None:
            self._queue.extend(name for name in self._outbox.ready_segments() if name.stem not in self._seen)
            self._seen.update(name.stem for name in self._queue)
        return bool(self._queue) or self._next is not None

    def _group(self, limits: BatchLimits) -> list[ClaimedSegment]:
        """Claim as many segments as go into one request, and the one that does not go in any more."""
        group: list[ClaimedSegment] = []
        count, size = 0, 1
        while self._next or (self._queue and len(self._claims) < MAX_CLAIMS):
            segment, self._next = self._next or self._claims.claim_segment(self._queue.popleft()), None
            if segment is None:
                continue
            count += len(segment.lines)
            size += sum(map(len, segment.lines.values())) + len(segment.lines)
            if group and not limits.allow(count, size):
                self._next = segment
                break
            group.append(segment)
        return group

    def _send(self, group: list[ClaimedSegment]) -> None:
        lines = [((segment, number), line) for segment in group for number, line in segment.lines.items()]
        for settled in self._sender.send(lines):
            for segment in group:
                numbers = [number for owner, number in settled if owner is segment]
                self._claims.mark_settled(segment, numbers)
                self.settled_of[segment.name.stem] += len(numbers)

    def _ask_newest(self) -> None:
        """Find out whether the server refuses everything, or just what happens to be the oldest.

        Otherwise a few bad queries at the head would hold up all others until they are too old.
        """
        suspects = self._claims.give_back()
        self._next = None
        if self._asked_newest or not self._queue:
            self._sender.give_up(self._sender.suspected_contract_error)
            return
        self._asked_newest = True
        self._queue.extendleft([*reversed(suspects), self._queue.pop()])
