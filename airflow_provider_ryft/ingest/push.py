"""One push: batches, retries, and the bisection of what is refused."""

from __future__ import annotations

import re
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from airflow_provider_ryft.exceptions import MisconfiguredError, ServerUnavailableError
from airflow_provider_ryft.ingest.network_errors import NoResponseError
from airflow_provider_ryft.ingest.responses import Response, ResponseClass, classify_status, explain
from airflow_provider_ryft.ingest.transport import Transport
from airflow_provider_ryft.results import PushResult, RefusedQuery

# How many queries from all over a batch must be refused alike before it is believed that all of them would be.
BISECTION_SAMPLE = 16

Item = TypeVar("Item")


@dataclass
class BatchLimits:
    """How much goes into one request, and what is known of the server; a client keeps it from one push to the next.

    :param deadline: seconds for one batch, with its retries, halves and waits
    :param max_count: queries in one request
    :param max_bytes: bytes of one request's body; lowered when the server finds one too large
    :param has_accepted: whether the server ever accepted anything, so that it is right about what it refuses
    """

    deadline: float
    max_count: int
    max_bytes: int
    has_accepted: bool = False

    def allow(self, count: int, size: int) -> bool:
        """Return whether so many queries and bytes may be in one request."""
        return count <= self.max_count and size <= self.max_bytes

    def batches(self, items: Iterable[Item], length: Callable[[Item], int]) -> Iterator[list[Item]]:
        """Group items by requests; what is too long for any request goes alone.

        The limits hold as they are at each item, because the server may lower that of bytes meanwhile.

        :param length: returns the bytes of an item's query
        """
        batch: list[Item] = []
        size = 1
        for item in items:
            added = length(item) + 1
            if batch and not self.allow(len(batch) + 1, size + added):
                yield batch
                batch, size = [], 1
            batch.append(item)
            size += added
        if batch:
            yield batch


class Push:
    """One push: its result so far, and its deadline.

    :param transport: sends each request
    :param limits: of each batch; it lowers them to what the server takes
    :param deadline: seconds for all of it; each batch has its own deadline when not given
    """

    def __init__(self, transport: Transport, limits: BatchLimits, deadline: float | None) -> None:
        self._transport = transport
        self._limits = limits
        self._result = PushResult()
        self._started = time.monotonic()
        self._overall = None if deadline is None else self._started + deadline
        self._ends = self._started

    def run(self, lines: Iterable[bytes]) -> PushResult:
        """Push all of it."""
        try:
            for batch in self._limits.batches(lines, len):
                self._ends = time.monotonic() + self._limits.deadline if self._overall is None else self._overall
                self._deliver(batch)
        finally:
            self._result.seconds = time.monotonic() - self._started
        return self._result

    def _deliver(self, batch: list[bytes]) -> None:
        """Send a batch; halve what is refused until each refused query is alone.

        Level by level, not depth first: the groups of one level come from all over the batch, so that a cluster of bad
        queries is not taken for a server that refuses everything.
        """
        alone: list[RefusedQuery] = []
        groups = [batch]
        while groups:
            refused: list[tuple[list[bytes], Response]] = []
            for group in groups:
                answer = self._refusal(group)
                if answer is None:
                    continue
                if len(group) > 1:
                    refused.append((group, answer))
                    continue
                alone.append(RefusedQuery(group[0], answer.status, answer.message))
                if len(alone) == min(BISECTION_SAMPLE, len(batch)) > 1 and not self._limits.has_accepted:
                    self._stop_if_alike(alone)
            groups = self._next_level(refused)
        self._result.refused += alone

    def _next_level(self, refused: list[tuple[list[bytes], Response]]) -> list[list[bytes]]:
        """Take what was refused apart."""
        if len(refused) >= BISECTION_SAMPLE and not self._limits.has_accepted:
            # Everything was refused so far: one of each group shows sooner than halves whether that's true of all.
            return [group[:1] for group, _ in refused] + [group[1:] for group, _ in refused]
        return [half for group, answer in refused for half in _halves(group, by_bytes=_is_too_large(answer.status))]

    def _stop_if_alike(self, alone: list[RefusedQuery]) -> None:
        """Stop when it is the contract that is wrong, not single queries: these are good, and are kept.

        :param alone: refused queries from all over a batch, none of which a server that never accepted anything took
        :raises MisconfiguredError: if they were all refused for the same
        """
        status = alone[0].status
        if _is_too_large(status) or len(_reasons(alone)) > 1:
            return
        raise MisconfiguredError(
            f"{self._transport.base_url} took none of the queries, and refused {len(alone)} from all over the batch "
            f"alike, with {status}: {alone[0].message} So it seems not to be single queries that are wrong, but what "
            "this version sends. Nothing was dropped. Look for a newer airflow-provider-ryft, or ask Ryft.",
            self._result,
            status=status,
        )

    def _refusal(self, group: list[bytes]) -> Response | None:
        """Send one group; return the answer if it is refused, ``None`` if it was accepted."""
        body = b"[" + b",".join(group) + b"]"
        answer = self._final_answer(body)
        kind = classify_status(answer.status)
        if kind is ResponseClass.MISCONFIGURED or (kind is ResponseClass.ACCEPTED and answer.is_html):
            raise MisconfiguredError(explain(answer, self._transport.base_url), self._result, status=answer.status)
        if kind is ResponseClass.ACCEPTED:
            self._result.accepted += len(group)
            self._limits.has_accepted = True
            return None
        if kind is ResponseClass.TOO_LARGE and len(group) > 1:
            self._limits.max_bytes = min(self._limits.max_bytes, len(body) // 2)
        return answer

    def _final_answer(self, body: bytes) -> Response:
        """Post a body, again while the answer is *later*, unless the wait for that would end after the deadline."""
        retrying = Retrying(
            retry=retry_if_exception_type(ServerUnavailableError),
            wait=_wait,
            stop=lambda state: time.monotonic() + state.upcoming_sleep >= self._ends,
            before_sleep=self._count_retry,
            reraise=True,
        )
        return retrying(self._attempt, body)

    def _attempt(self, body: bytes) -> Response:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise self._unavailable("the deadline passed before they could be sent")
        self._result.requests += 1
        self._result.bytes += len(body)
        try:
            answer = self._transport.post(body, left)
        except NoResponseError as error:
            raise self._unavailable(str(error)) from None
        if classify_status(answer.status) is ResponseClass.LATER:
            raise self._unavailable(f"it answered {answer.status} {answer.message}".rstrip(" ."), answer)
        return answer

    def _unavailable(self, reason: str, answer: Response | None = None) -> ServerUnavailableError:
        """Make the error of an attempt that a later one may cure."""
        return ServerUnavailableError(
            f"{self._transport.base_url} could not take the queries in time: {reason}. They are good; push them later.",
            self._result,
            status=answer.status if answer else None,
            retry_after=answer.retry_after if answer else None,
        )

    def _count_retry(self, _state: RetryCallState) -> None:
        self._result.retries += 1


_jitter = wait_random_exponential(multiplier=0.25, max=30)


def _wait(state: RetryCallState) -> float:
    """Wait with full jitter, and at least as long as the server asks."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ServerUnavailableError) else None
    return max(_jitter(state), asked or 0.0)


def _is_too_large(status: int) -> bool:
    return classify_status(status) is ResponseClass.TOO_LARGE


def _halves(group: list[bytes], *, by_bytes: bool) -> tuple[list[bytes], list[bytes]]:
    """Split a group of two or more in the middle: of its number, or of its bytes."""
    middle = len(group) // 2
    if by_bytes:
        sizes = list(accumulate(map(len, group)))
        middle = min(max(bisect_right(sizes, sizes[-1] // 2), 1), len(group) - 1)
    return group[:middle], group[middle:]


def _reasons(alone: list[RefusedQuery]) -> set[tuple[int, str]]:
    """Reduce refusals to what is not particular to one query or request: without ids, and without numbers."""
    ids = "|".join(re.escape(refused.query_id) for refused in alone)
    particular = re.compile(rf"(?<!\w)({ids})(?!\w)|[\w-]*[0-9][\w-]*")
    return {(refused.status, particular.sub("", refused.message)) for refused in alone}
