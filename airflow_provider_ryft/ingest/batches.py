"""What goes into one request.

Apart from the push, which needs an HTTP library: the sender of the outbox groups queries too, and may send none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

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


def batches(items: Iterable[Item], limits: BatchLimits, length: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Group items by requests; what is too long for any request goes alone.

    The limits are read again for each item, because the server may lower that of bytes meanwhile.

    :param length: returns the bytes of an item's query
    """
    batch: list[Item] = []
    size = 1
    for item in items:
        added = length(item) + 1
        if batch and not limits.allow(len(batch) + 1, size + added):
            yield batch
            batch, size = [], 1
        batch.append(item)
        size += added
    if batch:
        yield batch
