"""Faults: the ways in which the sandbox misbehaves when it is told to."""

from __future__ import annotations

import math
import random
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from airflow_provider_ryft.exceptions import ConfigurationError

_RESETS = ("before", "body", "stored")
_TYPES = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}
_RANGES = {
    "status": (200, 599),
    "delay": (0, 86_400),
    "drip": (0, 86_400),
    "max_bytes": (0, math.inf),
    "times": (1, math.inf),
    "probability": (0, 1),
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way to misbehave; what is not given is as it would be without the fault.

    ``refuse`` and ``max_bytes`` are rules of a server, which apply in addition to what happens to a request; so each of
    them is a fault of its own.

    :param status: answer with this status, and store nothing
    :param body: with this body
    :param content_type: of this type
    :param retry_after: with this ``Retry-After`` header, sense or nonsense
    :param location: with this ``Location`` header
    :param delay: seconds to wait before the answer
    :param drip: seconds to wait before each byte of the answer
    :param hang: never answer
    :param reset: reset the connection: ``before`` anything is stored, in the ``body`` of a 200 whose headers were sent,
        or when everything is ``stored`` and only the answer is lost
    :param refuse: answer 400 to a request that holds a query whose id or text matches this regular expression
    :param max_bytes: answer 413 to a longer request
    :param times: how often; without end when not given
    :param probability: how likely for each request
    :raises ConfigurationError: for a value that means nothing
    """

    status: int | None = None
    body: str | None = None
    content_type: str | None = None
    retry_after: str | None = None
    location: str | None = None
    delay: float = 0.0
    drip: float = 0.0
    hang: bool = False
    reset: str | None = None
    refuse: str | None = None
    max_bytes: int | None = None
    times: int | None = None
    probability: float = 1.0

    def __post_init__(self) -> None:
        for name, (lowest, highest) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not lowest <= value <= highest:
                bounds = f"from {lowest} to {highest:g}" if math.isfinite(highest) else f"{lowest} or more"
                raise ConfigurationError(f"{name}: must be {bounds}, not {value!r}")
        for name in ("content_type", "retry_after", "location"):
            if not re.fullmatch(r"[ -~]*", getattr(self, name) or ""):
                raise ConfigurationError(
                    f"{name}: must be printable ASCII, as a header is, not {getattr(self, name)!r}"
                )
        if self.reset not in (None, *_RESETS):
            raise ConfigurationError(f"reset: must be one of {', '.join(_RESETS)}, not {self.reset!r}")
        effects = set(self.to_mapping()) - {"refuse", "max_bytes", "times", "probability"}
        if self.is_rule and (effects or (self.refuse is not None and self.max_bytes is not None)):
            raise ConfigurationError("refuse and max_bytes are faults of their own: give them as such")
        try:
            re.compile(self.refuse or "")
        except (re.error, OverflowError, RecursionError) as error:
            raise ConfigurationError(f"refuse: {self.refuse!r} is not a regular expression: {error}") from None

    @classmethod
    def from_mapping(cls, mapping: object) -> Fault:
        """Read a fault from decoded JSON.

        :raises ConfigurationError: for an unknown name or a wrong value
        """
        if not isinstance(mapping, Mapping):
            raise ConfigurationError(f"A fault must be a JSON object, not {mapping!r}")
        kinds = {attribute.name: str(attribute.type).split(" ")[0] for attribute in fields(cls)}
        for name, value in mapping.items():
            if name not in kinds:
                raise ConfigurationError(f"A fault has no {name!r}; allowed: {', '.join(kinds)}")
            if type(value).__name__ != kinds[name] and not (kinds[name] == "float" and type(value) is int):
                raise ConfigurationError(f"{name}: must be {_TYPES[kinds[name]]}, not {value!r}")
        return cls(**mapping)

    def to_mapping(self) -> dict[str, Any]:
        """Return what differs from no fault at all."""
        return {name: value for name, value in asdict(self).items() if value != getattr(Fault, name)}

    @property
    def is_rule(self) -> bool:
        """Whether this is a rule of the server, and not what happens to a request."""
        return self.refuse is not None or self.max_bytes is not None

    def applies_to(self, length: int, queries: Iterable[Any]) -> bool:
        """Return whether the fault is for this request."""
        if self.max_bytes is not None and length <= self.max_bytes:
            return False
        return self.refuse is None or any(self.refuses(query) for query in queries)

    def refuses(self, query: Any) -> bool:
        """Return whether this query is refused."""
        if self.refuse is None:
            return False
        texts = (query.get("queryId"), query.get("query")) if isinstance(query, dict) else ()
        return any(re.search(self.refuse, text) for text in texts if isinstance(text, str))


class Faults:
    """The faults that wait for their request: all rules that apply, and the first one of the others.

    :param seed: of the chance in ``probability``, so that a run can be repeated
    """

    def __init__(self, seed: int = 0) -> None:
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []
        self._left: list[float] = []

    def set(self, *faults: Fault) -> None:
        """Replace what waits."""
        with self._lock:
            self._waiting = list(faults)
            self._left = [math.inf if fault.times is None else fault.times for fault in faults]

    def waiting(self) -> list[Fault]:
        """Return what still waits, each for as many times as are left."""
        with self._lock:
            both = list(zip(self._waiting, self._left, strict=True))
        return [fault if fault.times is None else replace(fault, times=int(left)) for fault, left in both if left > 0]

    def take(self, length: int, queries: list[Any]) -> tuple[list[Fault], Fault]:
        """Return the rules that apply to a request, and what happens to it; count them."""
        rules: list[Fault] = []
        effect: Fault | None = None
        with self._lock:
            for position, fault in enumerate(self._waiting):
                wanted = self._left[position] > 0 and (fault.is_rule or effect is None)
                if not wanted or not fault.applies_to(length, queries) or self._chance.random() >= fault.probability:
                    continue
                self._left[position] -= 1
                if fault.is_rule:
                    rules.append(fault)
                else:
                    effect = fault
        return rules, effect or Fault()
