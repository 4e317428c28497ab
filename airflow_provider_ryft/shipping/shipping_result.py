"""What became of the queries of an outbox or a journal."""

from __future__ import annotations


class ShippingResult:
    """What became of queries.

    It is no data class, because each task that runs SQL makes one, and to define one takes 0.2 ms.
    """

    def __init__(self, *, kept: int = 0, stored: int = 0, lost: int = 0, problem: str = "") -> None:
        self.accepted = 0  # how many the server accepted
        self.from_earlier_tasks = 0  # of a journal: how many of these were left by earlier tasks
        self.sent_by_other_tasks = 0  # of a journal: how many of its own another task has sent meanwhile
        self.refused = 0  # how many it refused, which are dead letters now
        self.kept = kept  # of a journal: how many are on disk or in an object store, to be sent later
        self.stored = stored  # how many of these are in the object store
        self.lost = lost  # of a journal: how many could neither be delivered nor kept
        self.requests = 0  # how many HTTP requests were sent
        self.bytes = 0  # how many bytes of JSON they carried
        self.seconds = 0.0  # how long it took
        # Why not everything was sent, for people to read; empty if it was, or time was short.
        self.problem = problem

    def __repr__(self) -> str:
        return f"{type(self).__name__}({vars(self)})"
