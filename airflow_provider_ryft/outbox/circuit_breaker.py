"""The circuit breaker: whether requests may pass, and how that changes with what the server does.

It is a value that knows neither files nor clocks. Times are seconds since 1970, because processes share them; a clock
may jump, so no pause is believed that is longer than the longest one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import Enum

_ABSURD = 1e12


def number(value: object) -> float:
    """Return a number that was read from a file; 0 if it is none, or makes no sense."""
    return float(value) if isinstance(value, (int, float)) and 0 <= value < _ABSURD else 0.0


@dataclass(frozen=True)
class BreakerPolicy:
    """When the circuit opens, and for how long.

    :param failure_threshold: after how many failures in a row
    :param first_pause: seconds of the first pause; each further one is twice as long
    :param max_pause: seconds of the longest pause, also of one that the server asks for
    :param probe_timeout: seconds that one process has for finding out whether the server is back, before another may
        try
    """

    failure_threshold: int = 3
    first_pause: float = 30.0
    max_pause: float = 900.0
    probe_timeout: float = 30.0


class CircuitState(Enum):
    """Whether something may be posted."""

    CLOSED = "closed"  # it may
    HALF_OPEN = "half-open"  # it may by one process, to find out whether the server is back
    OPEN = "open"  # it may not


@dataclass(frozen=True)
class CircuitBreaker:
    """What is known of the server; the shared state stores it under these names.

    :param failures: in a row
    :param pauses: how many pauses there were since the last success
    :param until: when the pause ends
    :param not_before: when the server asked to be called again
    :param probe_until: until when the circuit is half-open for one process only
    :param reason: why there is a pause
    """

    failures: int = 0
    pauses: int = 0
    until: float = 0.0
    not_before: float = 0.0
    probe_until: float = 0.0
    reason: str = ""

    @classmethod
    def from_json(cls, value: object) -> CircuitBreaker:
        """Read a breaker from decoded JSON; what makes no sense is as in a new one."""
        found = value if isinstance(value, dict) else {}
        failures, pauses = (int(number(found.get(name))) for name in ("failures", "pauses"))
        until, not_before, probe_until = (number(found.get(name)) for name in ("until", "not_before", "probe_until"))
        reason = found.get("reason")
        return cls(failures, pauses, until, not_before, probe_until, reason if isinstance(reason, str) else "")

    def circuit_state(self, now: float, policy: BreakerPolicy) -> CircuitState:
        """Return whether something may be posted now."""
        if self.remaining_pause(now, policy) > 0:
            return CircuitState.OPEN
        if not self.pauses:
            return CircuitState.CLOSED
        return CircuitState.OPEN if 0 < self.probe_until - now <= policy.probe_timeout else CircuitState.HALF_OPEN

    def remaining_pause(self, now: float, policy: BreakerPolicy) -> float:
        """Return the seconds for which the circuit stays open; 0 if it is closed or half-open."""
        waits = (self.until - now, self.not_before - now)
        return max((wait for wait in waits if 0 < wait <= policy.max_pause), default=0.0)

    def start_probe(self, now: float, policy: BreakerPolicy) -> CircuitBreaker:
        """Return the breaker while one process tries, and the other processes wait for its result."""
        return replace(self, probe_until=now + policy.probe_timeout)

    def after_failure(
        self, now: float, policy: BreakerPolicy, reason: str, retry_after: float | None = None
    ) -> CircuitBreaker:
        """Return the breaker after a failure.

        Failures that arrive during a pause began before it, and do not count: sixteen tasks that fail at once are one
        outage of one pause.

        :param retry_after: seconds that the server asked us to wait
        """
        asked = self.not_before
        if retry_after is not None:
            asked = max(asked if asked - now <= policy.max_pause else 0.0, now + min(retry_after, policy.max_pause))
        if self.remaining_pause(now, policy) > 0:
            return replace(self, not_before=asked)
        failures = self.failures + 1
        if failures < policy.failure_threshold and not self.pauses:
            return replace(self, failures=failures, not_before=asked, reason=reason)
        pause = min(policy.first_pause * 2.0 ** min(self.pauses, 30), policy.max_pause) * random.uniform(0.75, 1.0)
        return CircuitBreaker(failures, self.pauses + 1, now + pause, asked, 0.0, reason)

    def after_misconfiguration(self, now: float, policy: BreakerPolicy, reason: str) -> CircuitBreaker:
        """Return the breaker after an answer that needs manual action: the longest pause at once."""
        return CircuitBreaker(self.failures + 1, max(self.pauses, 1), now + policy.max_pause, 0.0, 0.0, reason)
