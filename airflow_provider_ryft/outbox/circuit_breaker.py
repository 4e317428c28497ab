"""When to leave a server alone: a value, and how it changes with what the server does.

It knows neither files nor clocks. Times are seconds since 1970, because processes share them, so a clock that jumped is
taken into account: no pause is believed that is longer than the longest one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

_ABSURD = 1e12
_COUNTS = ("failures", "pauses")
_TIMES = ("until", "not_before", "probe_until")


def number(value: object) -> float:
    """Return a number that was read from a file; 0 if it is none, or makes no sense."""
    return float(value) if isinstance(value, (int, float)) and 0 <= value < _ABSURD else 0.0


@dataclass(frozen=True)
class BreakerPolicy:
    """How long a server is left alone.

    :param failures: after how many failures in a row
    :param first: seconds of the first pause; each further one is twice as long
    :param longest: seconds of the longest pause, also of one that the server asks for
    :param probe: seconds that one process has for finding out whether the server is back, before another may try
    """

    failures: int = 3
    first: float = 30.0
    longest: float = 900.0
    probe: float = 30.0


class Gate(Enum):
    """Whether something may be posted."""

    OPEN = "open"
    PROBE = "probe"  # by one process, to find out
    SHUT = "shut"


@dataclass(frozen=True)
class CircuitBreaker:
    """What is known of the server.

    :param failures: in a row
    :param pauses: how many pauses there were since the last success
    :param until: when the pause ends
    :param not_before: the server's own wish
    :param probe_until: until when one process tries alone
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
        kept: dict[str, Any] = {}
        kept.update((name, int(number(found.get(name)))) for name in _COUNTS)
        kept.update((name, number(found.get(name))) for name in _TIMES)
        if isinstance(found.get("reason"), str):
            kept["reason"] = found["reason"]
        return cls(**kept)

    def gate(self, now: float, pauses: BreakerPolicy) -> Gate:
        """Tell whether something may be posted now."""
        if self.opens_in(now, pauses) > 0:
            return Gate.SHUT
        if not self.pauses:
            return Gate.OPEN
        return Gate.SHUT if 0 < self.probe_until - now <= pauses.probe else Gate.PROBE

    def opens_in(self, now: float, pauses: BreakerPolicy) -> float:
        """Return the seconds until something may be posted; 0 if it may."""
        waits = (self.until - now, self.not_before - now)
        return max((wait for wait in waits if 0 < wait <= pauses.longest), default=0.0)

    def probing(self, now: float, pauses: BreakerPolicy) -> CircuitBreaker:
        """Give one process the right to try."""
        return replace(self, probe_until=now + pauses.probe)

    def failed(
        self, now: float, pauses: BreakerPolicy, reason: str, retry_after: float | None = None
    ) -> CircuitBreaker:
        """Count a failure.

        Those that arrive during a pause were on their way before it, and are no news: sixteen tasks that fail at once
        are one outage of one pause.

        :param reason: what happened
        :param retry_after: seconds that the server asked to be left alone for
        """
        asked = self.not_before
        if retry_after is not None:
            asked = max(asked if asked - now <= pauses.longest else 0.0, now + min(retry_after, pauses.longest))
        if self.opens_in(now, pauses) > 0:
            return replace(self, not_before=asked)
        failures = self.failures + 1
        if failures < pauses.failures and not self.pauses:
            return replace(self, failures=failures, not_before=asked, reason=reason)
        pause = min(pauses.first * 2.0 ** min(self.pauses, 30), pauses.longest) * random.uniform(0.75, 1.0)
        return CircuitBreaker(failures, self.pauses + 1, now + pause, asked, 0.0, reason)

    def misconfigured(self, now: float, pauses: BreakerPolicy, reason: str) -> CircuitBreaker:
        """Take note that a person has to act."""
        return CircuitBreaker(self.failures + 1, max(self.pauses, 1), now + pauses.longest, 0.0, 0.0, reason)
