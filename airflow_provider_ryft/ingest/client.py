"""Delivers queries to Ryft's Ingest API: in batches, within a deadline, with the token going nowhere else.

The API's page promises a 200 for what was accepted and nothing else, so every answer is put into one of four classes:

* *accepted*: 2xx.
* *later*: no answer, and statuses that a later try may cure. Tried again with full jitter until the deadline; a
  ``Retry-After`` is obeyed if it ends before the deadline, and otherwise told to the caller.
* *refused*: 400, 413 and 422, which are about what was sent. The batch is halved until what is refused stands alone.
* *misconfigured*: everything else. The queries are good, a person has to act, and nothing is tried again.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from itertools import accumulate
from types import TracebackType

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from airflow_provider_ryft.exceptions import (
    ConfigurationError,
    InvalidQueryError,
    MisconfiguredError,
    ServerUnavailableError,
)
from airflow_provider_ryft.ingest.query import Query
from airflow_provider_ryft.ingest.transport import NoResponseError, Response, SecretStr, Transport
from airflow_provider_ryft.results import PushResult, RefusedQuery

PATH = "/ingest/push/queries"
DEFAULT_BASE_URL = "https://ingest.ryft.io"

# 408 and 425 ask for another try, 429 and 503 name a time; 52x are Cloudflare's, 529 is an overloaded origin.
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 525), 529})
_REFUSED = frozenset({400, 422})
_TOO_LARGE = 413

# How many queries from all over a batch must be refused alike before it is believed that all of them would be.
BISECTION_SAMPLE = 16


class ResponseClass(Enum):
    """The class of an answer."""

    ACCEPTED = "accepted"
    LATER = "later"
    REFUSED = "refused"
    TOO_LARGE = "too large"
    MISCONFIGURED = "misconfigured"


def classify_status(status: int) -> ResponseClass:
    """Put an HTTP status into its class."""
    if 200 <= status < 300:
        return ResponseClass.ACCEPTED
    if status in _LATER:
        return ResponseClass.LATER
    if status in _REFUSED:
        return ResponseClass.REFUSED
    return ResponseClass.TOO_LARGE if status == _TOO_LARGE else ResponseClass.MISCONFIGURED


class IngestClient:
    """Pushes queries to one Ingest API.

    Not for several threads at once. The connection is opened with the first push and kept; close it with :meth:`close`
    or use the client as a context manager.

    :param token: the ingest token; white space around it is stripped
    :param base_url: address of the API, such as ``https://ingest.ryft.io``; may have a path
    :param connect_timeout: seconds for opening a connection
    :param read_timeout: seconds between two bytes of an answer
    :param deadline: seconds for one batch, with its retries, halves and waits
    :param max_batch_count: queries in one request
    :param max_batch_bytes: bytes of one request's body; a query that is bigger than that goes alone
    :param verify: whether to check the server's certificate, or the path of a CA bundle to check it with
    :param proxies: proxy by scheme, as :mod:`requests` takes them; the environment's when not given
    :param allow_http: send the token over plain http to other machines, where anybody on the way can read it
    :raises ConfigurationError: for a token, an address or a limit that cannot be used
    """

    base_url: str = ""  # without the API's own path; there from the start for the sake of __repr__ in tracebacks

    def __init__(
        self,
        token: str,
        *,
        base_url: str = DEFAULT_BASE_URL,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        deadline: float = 60.0,
        max_batch_count: int = 500,
        max_batch_bytes: int = 1 << 20,
        verify: bool | str = True,
        proxies: Mapping[str, str] | None = None,
        allow_http: bool = False,
    ) -> None:
        # Before anything can be raised: a traceback may show local variables.
        token, base_url = SecretStr.stripped(token), SecretStr.stripped(base_url)
        proxies = {scheme: SecretStr(proxy) for scheme, proxy in (proxies or {}).items()}
        limits = {
            "connect_timeout": connect_timeout,
            "read_timeout": read_timeout,
            "deadline": deadline,
            "max_batch_count": max_batch_count,
            "max_batch_bytes": max_batch_bytes,
        }
        for name, value in limits.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
                raise ConfigurationError(f"{name} must be a number above 0, not {value!r}")
        self.deadline = deadline
        self.max_batch_count = max_batch_count
        self.max_batch_bytes = max_batch_bytes
        self._has_accepted = False
        self._transport = Transport(
            token,
            base_url,
            PATH,
            timeout=(connect_timeout, read_timeout),
            verify=verify,
            proxies=proxies,
            allow_http=allow_http,
        )
        self.base_url = self._transport.base_url

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"

    def __enter__(self) -> IngestClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next push opens a new one."""
        self._transport.close()

    def check(self, seconds: float) -> Response:
        """Send an empty batch, once, and return what the server says: no query is invented, nothing is stored.

        :param seconds: how long to wait for it
        :raises NoAnswer: if there was none
        """
        return self._transport.post(b"[]", seconds)

    def push(self, queries: Iterable[Query], *, deadline: float | None = None) -> PushResult:
        """Deliver queries.

        The iterable is read batch by batch, so that a generator of a million never sits in memory.

        :param queries: what to deliver
        :param deadline: seconds for all of it; each batch has its own deadline when not given
        :return: what was accepted and refused, when each query was one of the two
        :raises ServerUnavailableError: when the server could not take a batch in time; what follows it was not sent
        :raises MisconfiguredError: when it will not take any until somebody acts; what follows was not sent
        :raises InvalidQueryError: for something else than a query; it and what precedes it in its batch was not sent
        """
        return self.push_lines(map(_encoded, queries), deadline=deadline)

    def push_lines(self, lines: Iterable[bytes], *, deadline: float | None = None) -> PushResult:
        """Deliver queries that are encoded already, see :meth:`push`.

        :param lines: each query as :meth:`Query.encode() <airflow_provider_ryft.ingest.query.Query.encode>` gives it
        """
        return Push(self, deadline).run(lines)


def _encoded(query: object) -> bytes:
    """Encode a query; text has a method of the same name, and would go out as nonsense."""
    if not isinstance(query, Query):
        problem = f"only a Query can be pushed, not {type(query).__name__}; Query.from_payload() reads a JSON object"
        raise InvalidQueryError("", problem)
    return query.encode()


class Push:
    """One push: its result so far, and its deadline."""

    def __init__(self, client: IngestClient, deadline: float | None) -> None:
        self.client = client
        self.result = PushResult()
        self.started = time.monotonic()
        self.overall = None if deadline is None else self.started + deadline
        self.ends = self.started

    def run(self, lines: Iterable[bytes]) -> PushResult:
        """Push all of it."""
        try:
            for batch in self._batches(lines):
                self.ends = time.monotonic() + self.client.deadline if self.overall is None else self.overall
                self._deliver(batch)
        finally:
            self.result.seconds = time.monotonic() - self.started
        return self.result

    def _batches(self, lines: Iterable[bytes]) -> Iterator[list[bytes]]:
        """Group lines; the limits are read anew each time, for the server may lower that of bytes meanwhile."""
        batch: list[bytes] = []
        size = 1
        for line in lines:
            full = len(batch) >= self.client.max_batch_count or size + len(line) + 1 > self.client.max_batch_bytes
            if batch and full:
                yield batch
                batch, size = [], 1
            batch.append(line)
            size += len(line) + 1
        if batch:
            yield batch

    def _deliver(self, batch: list[bytes]) -> None:
        """Send a batch; halve what is refused until each refused query stands alone.

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
                if len(alone) == min(BISECTION_SAMPLE, len(batch)) > 1 and not self.client._has_accepted:
                    self._stop_if_alike(alone)
            groups = self._taken_apart(refused)
        self.result.refused += alone

    def _taken_apart(self, refused: list[tuple[list[bytes], Response]]) -> list[list[bytes]]:
        """Return the groups of the next level."""
        if len(refused) >= BISECTION_SAMPLE and not self.client._has_accepted:
            # Everything was refused so far: one of each group tells sooner than halves whether that's true of all.
            return [group[:1] for group, _ in refused] + [group[1:] for group, _ in refused]
        return [half for group, answer in refused for half in _halves(group, by_bytes=answer.status == _TOO_LARGE)]

    def _stop_if_alike(self, alone: list[RefusedQuery]) -> None:
        """Stop when it is the contract that is wrong, not single queries: these are good, and are kept.

        :param alone: refused queries from all over a batch, none of which a server that never accepted anything took
        :raises MisconfiguredError: if they were all refused for the same
        """
        status = alone[0].status
        if status == _TOO_LARGE or len(_reasons(alone)) > 1:
            return
        raise MisconfiguredError(
            f"{self.client.base_url} took none of the queries, and refused {len(alone)} from all over the batch alike, "
            f"with {status}: {alone[0].message} So it seems not to be single queries that are wrong, but what this "
            "version sends. Nothing was dropped. Look for a newer airflow-provider-ryft, or ask Ryft.",
            self.result,
            status=status,
        )

    def _refusal(self, group: list[bytes]) -> Response | None:
        """Send one group; return the answer if it is refused, ``None`` if it was accepted."""
        body = b"[" + b",".join(group) + b"]"
        answer = self._final_answer(body)
        kind = classify_status(answer.status)
        if kind is ResponseClass.MISCONFIGURED or (kind is ResponseClass.ACCEPTED and answer.is_html):
            raise MisconfiguredError(explain(answer, self.client.base_url), self.result, status=answer.status)
        if kind is ResponseClass.ACCEPTED:
            self.result.accepted += len(group)
            self.client._has_accepted = True
            return None
        if kind is ResponseClass.TOO_LARGE and len(group) > 1:
            self.client.max_batch_bytes = min(self.client.max_batch_bytes, len(body) // 2)
        return answer

    def _final_answer(self, body: bytes) -> Response:
        """Post a body, again and again while the answer is *later*, until the deadline."""
        retrying = Retrying(
            retry=retry_if_exception_type(RetryLater),
            wait=_wait,
            stop=self._would_end_too_late,
            before_sleep=self._count_retry,
            reraise=True,
        )
        try:
            return retrying(self._attempt, body)
        except RetryLater as later:
            raise ServerUnavailableError(
                f"{self.client.base_url} could not take the queries in time: {later}. They are good; push them later.",
                self.result,
                status=later.status,
                retry_after=later.retry_after,
            ) from None

    def _attempt(self, body: bytes) -> Response:
        left = self.ends - time.monotonic()
        if left <= 0:
            raise RetryLater("the deadline passed before they could be sent")
        self.result.requests += 1
        self.result.bytes += len(body)
        try:
            answer = self.client._transport.post(body, left)
        except NoResponseError as error:
            raise RetryLater(str(error)) from None
        if classify_status(answer.status) is ResponseClass.LATER:
            raise RetryLater(f"it answered {answer.status} {answer.message}".rstrip(" ."), answer)
        return answer

    def _would_end_too_late(self, state: RetryCallState) -> bool:
        return time.monotonic() + state.upcoming_sleep >= self.ends

    def _count_retry(self, _state: RetryCallState) -> None:
        self.result.retries += 1


class RetryLater(Exception):  # noqa: N818  # a verdict, not an error
    """An attempt that a later one may cure; never leaves this module."""

    def __init__(self, message: str, answer: Response | None = None) -> None:
        super().__init__(message)
        self.status = answer.status if answer else None
        self.retry_after = answer.retry_after if answer else None


_jitter = wait_random_exponential(multiplier=0.25, max=30)


def _wait(state: RetryCallState) -> float:
    """Wait with full jitter, and at least as long as the server asks."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, RetryLater) else None
    return max(_jitter(state), asked or 0.0)


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


def explain(answer: Response, base_url: str) -> str:
    """Say in a sentence or two what an answer of the class *misconfigured* means and what to do about it."""
    status = answer.status
    words = f" It says: {answer.message}" if answer.message else ""
    if classify_status(status) is ResponseClass.ACCEPTED:
        return (
            f"{base_url} answered {status} with a page for people, which an Ingest API does not: it may be the login "
            "page of a proxy. Check the address and what is before it."
        )
    if status in (401, 403):
        return (
            f"{base_url} refused the ingest token ({status}). Put a valid token of your Ryft environment there.{words}"
        )
    if 300 <= status < 400:
        where = f" to {answer.location}" if answer.location else ""
        return (
            f"{base_url} redirects{where} ({status}), which is not followed because the token would go along. "
            "Put the address where the Ingest API really is."
        )
    if status in (404, 405, 410):
        return f"There is no Ingest API at {base_url} ({status}). Check the address, its port and its path.{words}"
    if status == 407:
        return f"The proxy before {base_url} wants a login (407). Put it into the proxy's address."
    return (
        f"{base_url} answered {status}, which an Ingest API does not. Check the address and what is before it.{words}"
    )
