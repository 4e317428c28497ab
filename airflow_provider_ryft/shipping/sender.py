"""Sends queries until the deadline or the circuit breaker stops it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_ryft.exceptions import MisconfiguredError, RyftError, ServerUnavailableError
from airflow_provider_ryft.outbox.circuit_breaker import CircuitState
from airflow_provider_ryft.outbox.outbox import BaseOutbox
from airflow_provider_ryft.shipping.shipping_result import ShippingResult

if TYPE_CHECKING:
    from airflow_provider_ryft.ingest.client import IngestClient
    from airflow_provider_ryft.results import PushResult

Key = TypeVar("Key")

MIN_SECONDS = 0.2  # without which no request is begun: its answer could not be waited for
DISK_SECONDS = 0.25  # that are left for the disk
_FAIR_SECONDS = 1.0  # without an answer that count as a failure of the server

log = logging.getLogger(__name__)


class Sender:
    """Sends queries to the server until it has a reason to stop.

    :param outbox: has the circuit breaker, and the dead letters for what is refused
    :param connect: makes the client when there is something to send
    :param deadline: seconds from now
    :param force: send even if the circuit breaker is open
    """

    def __init__(
        self, outbox: BaseOutbox, connect: Callable[[], IngestClient], deadline: float, *, force: bool = False
    ) -> None:
        self.result = ShippingResult()
        self.has_stopped = False
        # The server refused everything alike: is it the queries, or what this version sends?
        self.suspected_contract_error = ""
        self._outbox = outbox
        self._connect = connect
        self._client: IngestClient | None = None
        self._force = force
        self._started = time.monotonic()
        self._ends = self._started + deadline

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *exception: object) -> None:
        self.result.seconds = time.monotonic() - self._started
        if self._client is not None:
            self._client.close()

    def shorten(self, seconds: float) -> None:
        """Stop earlier than planned: so many seconds from now."""
        self._ends = min(self._ends, time.monotonic() + seconds)

    def open_client(self) -> IngestClient | None:
        """Return the client if something may be sent: there is time, and the circuit breaker lets it pass."""
        if self._left() < MIN_SECONDS:
            self.has_stopped = True
        elif self._client is None and not self.has_stopped and self._may_pass():
            self._client = self._make_client()
        return None if self.has_stopped else self._client

    def send(self, queries: Iterable[tuple[Key, bytes]]) -> Iterator[list[Key]]:
        """Send queries, and yield after each batch the keys of those that were accepted or stored as dead letters.

        It ends early with a batch of which the server accepted none, or it is unknown which ones.

        :param queries: each with what it is known by to the caller
        """
        client = self.open_client()
        if client is None:
            return
        for batch in client.limits.batches(queries, lambda keyed: len(keyed[1])):
            settled = self._send_batch(batch)
            if settled is None:
                return
            yield settled

    def _send_batch(self, batch: list[tuple[Key, bytes]]) -> list[Key] | None:
        client = self.open_client()
        result = self._push(client, [line for _, line in batch]) if client else None
        if result is None:
            return None
        self.result.accepted += result.accepted
        if result.accepted:
            self._outbox.state.record_success(accepted=result.accepted)
        if self._outbox.add_dead_letters(result.refused):
            self.result.refused += len(result.refused)
            return [key for key, _ in batch]
        refused = {one.line for one in result.refused}
        return [key for key, line in batch if line not in refused]

    def give_up(self, reason: str, retry_after: float | None = None) -> None:
        """Record that the server failed, and stop."""
        self._outbox.state.record_failure(reason, retry_after)
        self._stop(reason)

    def _push(self, client: IngestClient, lines: list[bytes]) -> PushResult | None:
        seconds = min(self._left(), client.limits.deadline)
        limit = client.limits.max_bytes
        self.suspected_contract_error = ""
        try:
            result = client.push_lines(lines, deadline=seconds)
        except ServerUnavailableError as error:
            self._account(error.result)
            if error.status is not None or seconds >= _FAIR_SECONDS:
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
            if client.limits.max_bytes < limit:
                self._outbox.state.record_size_limit(client.limits.max_bytes)
        self._account(result)
        return result

    def _account(self, result: PushResult | None) -> None:
        if result is not None:
            self.result.requests += result.requests
            self.result.bytes += result.bytes

    def _left(self) -> float:
        return self._ends - time.monotonic() - DISK_SECONDS

    def _may_pass(self) -> bool:
        if self._force or self._outbox.state.circuit_state() is not CircuitState.OPEN:
            return True
        self._stop(f"The circuit breaker is open, because of this: {self._outbox.state.read_state().breaker.reason}")
        return False

    def _make_client(self) -> IngestClient | None:
        try:
            client = self._connect()
        except Exception as error:
            is_ours = isinstance(error, RyftError)  # the message of another may hold anything
            self.give_up(str(error) if is_ours else f"no client could be made: {type(error).__name__}")
            return None
        limit = self._outbox.state.size_limit()
        if limit is not None:
            client.limits.max_bytes = min(client.limits.max_bytes, limit)
        return client

    def _stop(self, reason: str) -> None:
        self.has_stopped = True
        self.result.problem = reason
