"""The state that all processes on one outbox share: the circuit breaker, the server's limit, and the counters.

It is a small JSON file, replaced atomically under a lock. No process waits long for the lock: one that can't get it
goes on, and what it wanted to count is counted with its next change.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace

from airflow_provider_ryft.outbox.circuit_breaker import BreakerPolicy, CircuitBreaker, CircuitState, number
from airflow_provider_ryft.outbox.filesystem import FileSystem

_LIMIT_HOLDS = 86400.0  # a server's limit is found out again each day, because it may have been raised
_POLL = 0.002


@dataclass
class OutboxState:
    """The content of the file."""

    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)  # whether requests may pass
    # queries since the outbox was made: ``accepted``, ``refused``, and ``evicted_for_<reason>``
    counters: Counter[str] = field(default_factory=Counter)
    last_success: float = 0.0  # when the server last accepted something, in seconds since 1970; 0 if never
    max_bytes: int = 0  # the longest request that the server may accept, as far as it was found out; 0 if it was not
    max_bytes_until: float = 0.0  # how long to believe that

    @classmethod
    def decode(cls, data: bytes) -> OutboxState:
        """Read the file; what makes no sense is as in a new one."""
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            return cls()
        counters = found.get("counters")
        counts = counters.items() if isinstance(counters, dict) else ()
        return cls(
            breaker=CircuitBreaker.from_json(found.get("breaker")),
            counters=Counter({name: count for name, count in counts if type(count) is int and count > 0}),
            last_success=number(found.get("last_success")),
            max_bytes=int(number(found.get("max_bytes"))),
            max_bytes_until=number(found.get("max_bytes_until")),
        )

    def encode(self) -> bytes:
        """Return the file's content."""
        return json.dumps({**vars(self), "breaker": asdict(self.breaker)}).encode()


class SharedState:
    """The file, and its lock.

    :param path: of the file, in a folder that may not be there
    :param disk: what does the work
    :param clock: seconds since 1970
    :param policy: when the circuit opens, and for how long
    :param patience: seconds to wait for the lock
    """

    def __init__(
        self, path: str, disk: FileSystem, clock: Callable[[], float], policy: BreakerPolicy, patience: float
    ) -> None:
        self._path = path
        self._disk = disk
        self._clock = clock
        self._patience = patience
        self._uncounted: Counter[str] = Counter()
        self.policy = policy

    def read_state(self) -> OutboxState:
        """Return what is known; nothing if the file is missing, unreadable or damaged."""
        try:
            return OutboxState.decode(self._disk.read(self._path))
        except OSError:
            return OutboxState()

    def circuit_state(self) -> CircuitState:
        """Return whether something may be posted; it is half-open for only one of many processes, the others wait."""
        found = self.read_state().breaker.circuit_state(self._clock(), self.policy)
        if found is not CircuitState.HALF_OPEN:
            return found
        found = CircuitState.OPEN

        def probe(state: OutboxState, now: float) -> OutboxState:
            nonlocal found
            found = state.breaker.circuit_state(now, self.policy)
            probing = found is CircuitState.HALF_OPEN
            return replace(state, breaker=state.breaker.start_probe(now, self.policy)) if probing else state

        try:
            self._update(probe)
        except OSError:
            return CircuitState.HALF_OPEN  # a disk that can't be written to can't say which process probes
        return found

    def add_counts(self, **counts: int) -> None:
        """Add to the counters, now or with the next change."""
        self._record(lambda state, _now: state, **counts)

    def record_success(self, **counts: int) -> None:
        """Record that the server accepted something, which closes the circuit."""
        self._record(lambda state, now: replace(state, breaker=CircuitBreaker(), last_success=now), **counts)

    def record_failure(self, reason: str, retry_after: float | None) -> None:
        """Record that the server could not accept something; see :meth:`CircuitBreaker.after_failure`."""
        self._record_breaker(lambda breaker, now: breaker.after_failure(now, self.policy, reason, retry_after))

    def record_misconfiguration(self, reason: str) -> None:
        """Record an answer that needs manual action, which opens the circuit at once."""
        self._record_breaker(lambda breaker, now: breaker.after_misconfiguration(now, self.policy, reason))

    def record_size_limit(self, size: int) -> None:
        """Record that the server refused a request for its length; see :meth:`size_limit`."""
        self._record(lambda state, now: replace(state, max_bytes=size, max_bytes_until=now + _LIMIT_HOLDS))

    def size_limit(self) -> int | None:
        """Return the longest request that the server may accept, if that was found out not long ago."""
        state = self.read_state()
        holds = 0 < state.max_bytes_until - self._clock() <= _LIMIT_HOLDS
        return state.max_bytes if state.max_bytes and holds else None

    def _record_breaker(self, change: Callable[[CircuitBreaker, float], CircuitBreaker]) -> None:
        self._record(lambda state, now: replace(state, breaker=change(state.breaker, now)))

    def _record(self, change: Callable[[OutboxState, float], OutboxState], **counts: int) -> None:
        self._uncounted.update(counts)
        with suppress(OSError):  # the outbox warns of its disk where queries are at stake
            self._update(change)

    def _update(self, change: Callable[[OutboxState, float], OutboxState]) -> None:
        """Change what is known, unless another process has the lock all the time."""
        lock = self._lock()
        if lock is None:
            return
        try:
            state = change(self.read_state(), self._clock())
            state.counters.update(self._uncounted)
            self._write(state)
            self._uncounted.clear()
        finally:
            self._disk.close(lock)

    def _lock(self) -> int | None:
        ends = time.monotonic() + self._patience
        while (lock := self._disk.lock(f"{self._path}.lock", create=True)) is None and time.monotonic() < ends:
            time.sleep(_POLL)
        return lock

    def _write(self, state: OutboxState) -> None:
        new = f"{self._path}.new"
        self._disk.remove(new)  # of a process that died
        descriptor = self._disk.create_locked(new)
        if descriptor is None:
            return
        try:
            self._disk.append(descriptor, state.encode())
            self._disk.replace(new, self._path)
        finally:
            self._disk.close(descriptor)
