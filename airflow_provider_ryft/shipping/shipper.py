"""Empties an outbox into a client, within a deadline.

Neither function raises for what a server or a disk does: what became of the queries is in the result, and what could
not be delivered is still in the outbox.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_ryft.exceptions import MisconfiguredError, RyftError, ServerUnavailableError
from airflow_provider_ryft.outbox.circuit_breaker import CircuitState
from airflow_provider_ryft.outbox.claims import MAX_CLAIMS, SegmentClaims
from airflow_provider_ryft.outbox.directory import ClaimedSegment
from airflow_provider_ryft.outbox.journal import CloseResult, Journal
from airflow_provider_ryft.outbox.outbox import BaseOutbox, Outbox
from airflow_provider_ryft.outbox.segment_name import SegmentName

if TYPE_CHECKING:
    from airflow_provider_ryft.ingest.client import IngestClient
    from airflow_provider_ryft.outbox.object_store_outbox import ObjectStoreOutbox
    from airflow_provider_ryft.results import PushResult

Key = TypeVar("Key")

MIN_SECONDS = 0.2  # seconds without which no request is begun: its answer could not be waited for
_RESERVE = 0.25  # seconds that are left for the disk
_FOR_STORE = 0.375  # of the time of a task's end: what is left for an object store when a server does not answer
_FAIR = 1.0  # seconds without an answer that count as a failure of the server

log = logging.getLogger(__name__)


@dataclass
class ShippingResult:
    """What became of queries.

    :param accepted: how many the server took
    :param of_others: of a journal: how many of these were not its own, and left by earlier tasks
    :param by_others: of a journal: how many of its own somebody else has sent meanwhile
    :param refused: how many it refused, which are dead letters now
    :param kept: of a journal: how many are on disk or in an object store, to be sent later
    :param stored: how many of these are in the object store
    :param lost: of a journal: how many could neither be delivered nor kept
    :param requests: how many HTTP requests were sent
    :param bytes: how many bytes of JSON they carried
    :param seconds: how long it took
    :param problem: why not everything was sent, for a person to read; empty if it was, or time was short
    """

    accepted: int = 0
    from_earlier_tasks: int = 0
    sent_by_other_tasks: int = 0
    refused: int = 0
    kept: int = 0
    stored: int = 0
    lost: int = 0
    requests: int = 0
    bytes: int = 0
    seconds: float = 0.0
    problem: str = ""


def ship_outbox(
    outbox: BaseOutbox, connect: Callable[[], IngestClient], *, deadline: float, force: bool = False
) -> ShippingResult:
    """Send what waits in an outbox, the oldest first, orphans included.

    :param outbox: where it waits
    :param connect: makes a client; called only if there is something to send
    :param deadline: seconds for all of it
    :param force: send even if the server is to be left alone
    """
    with Sender(outbox, connect, deadline, force=force) as courier:
        outbox.adopt_orphans()
        outbox.evict()
        _ship_ready(outbox, courier)
    return courier.shipped


def flush_journal(
    outbox: Outbox,
    journal: Journal,
    connect: Callable[[], IngestClient],
    *,
    deadline: float,
    leftovers: float = 1.0,
    store: ObjectStoreOutbox | None = None,
) -> ShippingResult:
    """Send a journal at the end of its task, and then some of what earlier tasks left; close the journal.

    It may run in any thread, and be abandoned at any point, also with the process that it runs in: what is not settled
    then is found by the next one. Who abandons it leaves the journal alone, or its queries may be sent twice. A journal
    without queries costs nothing.

    :param outbox: of the journal
    :param journal: what to send; what the server does not take is ready to be sent later
    :param connect: makes a client; called only if there is something to send
    :param deadline: seconds for all of it
    :param leftovers: seconds of these, at the most, for what earlier tasks left
    :param store: where what the server does not take or refuses is put, if this machine's disk is not to keep it
    """
    ends = time.monotonic() + deadline
    seconds = deadline * (1 - _FOR_STORE) if store else deadline
    with Sender(store or outbox, connect, seconds) as courier:
        pending = journal.pending_queries()
        client = courier.open() if pending else None
        if client is not None:
            for chunk in _chunks(pending.items(), client):
                settled = courier.send(chunk)
                if settled is None:
                    break
                journal.mark_settled(settled)
            if courier.suspected_contract_error:
                courier.give_up(courier.suspected_contract_error)
        stored = store.upload_journal(journal) if store else 0
        closed = journal.close_journal()
        courier.shipped.kept, courier.shipped.lost = closed.kept, closed.lost
        if not courier.has_stopped and (courier.shipped.accepted or closed.kept):
            courier.hurry(leftovers)
            outbox.adopt_orphans()
            before = courier.shipped.accepted + courier.shipped.refused
            settled_of = _ship_ready(outbox, courier)
            own = sum(settled_of[stem] for stem in closed.stems)
            courier.shipped.kept -= own
            now = courier.shipped.accepted + courier.shipped.refused
            courier.shipped.from_earlier_tasks = min(max(now - before - own, 0), courier.shipped.accepted)
        if courier.shipped.kept:
            held = outbox.count_queries(closed.stems)
            held = courier.shipped.kept if held is None else held
            courier.shipped.sent_by_other_tasks = max(courier.shipped.kept - held, 0)
            courier.shipped.kept = min(courier.shipped.kept, held)
        if store:
            courier.shipped.stored = stored + (_take_in(store, closed, ends) if courier.shipped.kept else 0)
            courier.shipped.kept += stored
    return courier.shipped


def keep_journal(
    journal: Journal, store: ObjectStoreOutbox | None = None, *, deadline: float = 0.0, problem: str = ""
) -> ShippingResult:
    """Close a journal without asking the server, and tell where its queries are now.

    :param journal: what to keep, to be sent later
    :param store: where it is put, if this machine's disk is not to keep it
    :param deadline: seconds after which no more is put there
    :param problem: why it is not sent, for a person to read
    """
    ends = time.monotonic() + deadline
    stored = store.upload_journal(journal) if store else 0
    closed = journal.close_journal()
    kept = closed.kept + stored
    if store and closed.kept:
        stored += _take_in(store, closed, ends)
    return ShippingResult(kept=kept, stored=stored, lost=closed.lost, problem=problem)


def _take_in(store: ObjectStoreOutbox, closed: CloseResult, ends: float) -> int:
    """Put what is on this machine's disk into the store; return how many queries of a closed journal were among it."""
    taken = store.upload_ready(until=ends - _RESERVE)
    return sum(taken[stem] for stem in closed.stems)


class Sender:
    """Carries queries to the server until it has a reason to stop.

    :param outbox: whose breaker it obeys, and where it buries what is refused
    :param connect: makes the client when there is something to send
    :param deadline: seconds from now
    :param force: do not obey the breaker
    """

    def __init__(
        self, outbox: BaseOutbox, connect: Callable[[], IngestClient], deadline: float, *, force: bool = False
    ) -> None:
        self.shipped = ShippingResult()
        self.has_stopped = False
        self.suspected_contract_error = (
            ""  # the server refused everything alike: is it the queries, or what this version sends?
        )
        self._outbox = outbox
        self._connect = connect
        self._client: IngestClient | None = None
        self._force = force
        self._started = time.monotonic()
        self._ends = self._started + deadline

    def __enter__(self) -> Sender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shipped.seconds = time.monotonic() - self._started
        if self._client is not None:
            self._client.close()

    def hurry(self, seconds: float) -> None:
        """Stop earlier than planned."""
        self._ends = min(self._ends, time.monotonic() + seconds)

    def open(self) -> IngestClient | None:
        """Return the client if something may be sent: there is time, and the breaker agrees."""
        if self._left() < MIN_SECONDS:
            self.has_stopped = True
        elif self._client is None and not self.has_stopped:
            self.has_stopped = not (self._passes() and self._connects())
        return None if self.has_stopped else self._client

    def send(self, chunk: list[tuple[Key, bytes]]) -> list[Key] | None:
        """Send queries in one request, more or less; return the keys of those that are in good hands.

        :return: ``None`` if the server took none of them, or it is unknown which ones
        """
        client = self.open()
        result = self._push(client, [line for _, line in chunk]) if client else None
        if result is None:
            return None
        self.shipped.accepted += result.accepted
        if result.accepted:
            self._outbox.state.record_success(accepted=result.accepted)
        if self._outbox.add_dead_letters(result.refused):
            self.shipped.refused += len(result.refused)
            return [key for key, _ in chunk]
        refused = {one.line for one in result.refused}
        return [key for key, line in chunk if line not in refused]

    def give_up(self, reason: str, retry_after: float | None = None) -> None:
        """Take note that the server failed, and stop."""
        self._outbox.state.record_failure(reason, retry_after)
        self._stop(reason)

    def _push(self, client: IngestClient, lines: list[bytes]) -> PushResult | None:
        seconds = min(self._left(), client.deadline)
        limit = client.max_batch_bytes
        self.suspected_contract_error = ""
        try:
            result = client.push_lines(lines, deadline=seconds)
        except ServerUnavailableError as error:
            self._account(error.result)
            if error.status is not None or seconds >= _FAIR:
                self.give_up(str(error), error.retry_after)
            else:
                self._stop(str(error))
            return None
        except MisconfiguredError as error:
            self._account(error.result)
            if error.status in (400, 422):
                self.suspected_contract_error = str(error)
            else:
                self._outbox.state.record_misconfiguration(str(error))
                self._stop(str(error))
            return None
        except Exception as error:
            log.warning("Pushing queries to Ryft failed; they are kept.", exc_info=error)
            self.give_up(f"pushing them failed with {type(error).__name__}")
            return None
        finally:
            if client.max_batch_bytes < limit:
                self._outbox.state.record_size_limit(client.max_batch_bytes)
        self._account(result)
        return result

    def _account(self, result: PushResult | None) -> None:
        if result is not None:
            self.shipped.requests += result.requests
            self.shipped.bytes += result.bytes

    def _left(self) -> float:
        return self._ends - time.monotonic() - _RESERVE

    def _passes(self) -> bool:
        if self._force or self._outbox.state.circuit_state() is not CircuitState.OPEN:
            return True
        reason = self._outbox.state.read_state().breaker.reason
        self.shipped.problem = f"The server is left alone for now, because of this: {reason}"
        return False

    def _connects(self) -> bool:
        try:
            client = self._connect()
        except RyftError as error:
            self.give_up(str(error))
            return False
        except Exception as error:  # whose message may hold anything
            self.give_up(f"no client could be made: {type(error).__name__}")
            return False
        limit = self._outbox.state.size_limit()
        if limit is not None:
            client.max_batch_bytes = min(client.max_batch_bytes, limit)
        self._client = client
        return True

    def _stop(self, reason: str) -> None:
        self.has_stopped = True
        self.shipped.problem = reason


def _ship_ready(outbox: BaseOutbox, courier: Sender) -> Counter[str]:
    """Send what is ready; return how many queries were settled, by the stem of their segment."""
    with outbox.open_claims() as claims:
        current = ReadyDrain(outbox, courier, claims)
        try:
            current.run()
        except OSError as error:
            courier.shipped.problem = outbox.report_disk_error(error)
    return current.settled_of


class ReadyDrain:
    """One way through what is ready.

    :param outbox: where it is
    :param courier: who carries it
    :param claims: what is with the courier now
    """

    def __init__(self, outbox: BaseOutbox, courier: Sender, claims: SegmentClaims) -> None:
        self._outbox = outbox
        self._courier = courier
        self._claims = claims
        self._seen: set[str] = set()
        self._queue: deque[SegmentName] = deque()
        self._next: ClaimedSegment | None = None
        self._asked_newest = False
        self.settled_of: Counter[str] = Counter()

    def run(self) -> None:
        """Send what is there, and what arrives meanwhile."""
        while self._look() and (client := self._courier.open()):
            self._send(self._group(client), client)
            if self._courier.suspected_contract_error:
                self._ask_newest()

    def _look(self) -> bool:
        """Tell whether something is left; look again when the list is at its end."""
        if not self._queue and self._next is None:
            self._queue.extend(name for name in self._outbox.ready_segments() if name.stem not in self._seen)
        return bool(self._queue) or self._next is not None

    def _group(self, client: IngestClient) -> list[ClaimedSegment]:
        """Claim as many segments as go into one request, and the one that does not go in any more."""
        group: list[ClaimedSegment] = []
        room = RequestBudget(client)
        while self._next or (self._queue and len(self._claims) < MAX_CLAIMS):
            segment, self._next = self._next or self._claim(self._queue.popleft()), None
            if segment is None:
                continue
            if not room.takes(segment.lines.values()):
                self._next = segment
                break
            group.append(segment)
        return group

    def _claim(self, name: SegmentName) -> ClaimedSegment | None:
        self._seen.add(name.stem)
        return self._claims.claim_segment(name)

    def _send(self, group: list[ClaimedSegment], client: IngestClient) -> None:
        lines = [((segment, number), line) for segment in group for number, line in segment.lines.items()]
        for chunk in _chunks(lines, client):
            settled = self._courier.send(chunk)
            if settled is None:
                return
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
            self._courier.give_up(self._courier.suspected_contract_error)
            return
        self._asked_newest = True
        self._queue.extendleft([*reversed(suspects), self._queue.pop()])


class RequestBudget:
    """What goes into one request of a client; at least one thing does."""

    def __init__(self, client: IngestClient) -> None:
        self._client = client
        self._count = 0
        self._bytes = 1

    def takes(self, lines: Collection[bytes]) -> bool:
        """Tell whether the lines go in too; if they do, they are in."""
        count, size = self._count + len(lines), self._bytes + sum(map(len, lines)) + len(lines)
        if self._count and (count > self._client.max_batch_count or size > self._client.max_batch_bytes):
            return False
        self._count, self._bytes = count, size
        return True


def _chunks(lines: Iterable[tuple[Key, bytes]], client: IngestClient) -> Iterator[list[tuple[Key, bytes]]]:
    """Group lines by requests; the client's limits are read anew each time, for the server may lower them meanwhile."""
    chunk: list[tuple[Key, bytes]] = []
    room = RequestBudget(client)
    for key, line in lines:
        if not room.takes([line]):
            yield chunk
            chunk, room = [], RequestBudget(client)
            room.takes([line])
        chunk.append((key, line))
    if chunk:
        yield chunk
