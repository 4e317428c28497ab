"""An outbox in an object store, for machines whose disk dies with them, such as the pods of Kubernetes.

.. code-block:: text

    journal of a task, on its disk --- one PUT --> ready/ --- the server accepted it --> deleted
                                                     '------- the server refused it --> dead/

While a task runs its journal is on its own disk; what could not be delivered at its end is put into the store, one
object for each segment, under a key that nothing else has. A store knows neither rename nor lock, so two that send from
it at once may both send a segment. Each query has its id then as before: it is delivered at least once. An object is
deleted right after the server accepted it, which keeps that rare; one sender at a time keeps it from happening.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_ryft.outbox.directory import OPEN, READY
from airflow_provider_ryft.outbox.object_store import ObjectStore
from airflow_provider_ryft.outbox.outbox import BaseOutbox, Outbox
from airflow_provider_ryft.outbox.records import encode_segment
from airflow_provider_ryft.outbox.segment_name import SegmentName

if TYPE_CHECKING:
    from airflow_provider_ryft.outbox.journal import Journal
    from airflow_provider_ryft.outbox.shared_state import SharedState


class ObjectStoreOutbox(BaseOutbox):
    """An outbox in an object store; see the module for what that means.

    What sends from it keeps its limits. What is known of the server, and the counters, are this machine's own.

    :param url: of the place; a password in it is not shown
    :param connect: gives the place, see :class:`ObjectStore`
    :param local: the outbox on this machine's disk
    :param max_bytes: and ``max_age``: see :class:`BaseOutbox`
    """

    max_segments = 100_000  # each task of an outage leaves one, however small

    def __init__(
        self,
        url: str,
        connect: Callable[[], Any],
        *,
        local: Outbox,
        max_bytes: int = 256 << 20,
        max_age: float = 7 * 86400.0,
    ) -> None:
        self._store = ObjectStore(re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", url.rstrip("/")), connect)
        super().__init__(self._store, max_bytes, max_age, time.time)
        self._local = local

    @property
    def state(self) -> SharedState:
        """What all processes on this machine know together."""
        return self._local.state

    # --- what a task does at its end

    def connect_early(self) -> None:
        """Connect to the store, while there is nothing else to do; what goes wrong is reported when it is needed."""
        with suppress(Exception):
            self._store.connect_store()

    def upload_journal(self, journal: Journal) -> int:
        """Put what is in a journal here, and settle it there; return the number of queries, 0 if that failed."""
        pending = journal.pending_queries()
        if not pending or not self._put(SegmentName.new(), pending.values()):
            return 0
        journal.mark_settled(pending)
        return len(pending)

    def upload_ready(self, *, until: float) -> Counter[str]:
        """Put what is ready on this machine's disk here, the oldest first; return the queries by the stem of a segment.

        :param until: when to stop, by the monotonic clock
        """
        uploaded: Counter[str] = Counter()
        with self._local.open_claims() as claims:
            try:
                for name in self._local.ready_segments():
                    if time.monotonic() >= until:
                        break
                    segment = claims.claim_segment(name)
                    if segment is None:
                        continue
                    if not self._put(name, segment.lines.values()):
                        break
                    uploaded[name.stem] = len(segment.lines)
                    claims.mark_settled(segment, list(segment.lines))
            except OSError as error:
                self._local.report_disk_error(error)
        return uploaded

    # --- what every outbox does

    def adopt_orphans(self) -> int:
        """Make the local directory, which stores the state of the circuit breaker; a store has no orphans."""
        self._local.try_writing()
        return 0

    def try_writing(self) -> str:
        """Put an object there, read and delete it; return what is wrong, in a few sentences, or nothing."""
        name = SegmentName.new()
        try:
            self._store.put_segment(OPEN, name, b"\n")
            self._store.read_segment(OPEN, name)
            self._store.remove_segment(OPEN, name)
        except OSError as error:
            return self.report_disk_error(error)
        return self.disk_problem

    def _put(self, name: SegmentName, lines: Collection[bytes]) -> bool:
        data = encode_segment(lines)
        try:
            self._store.put_segment(READY, name.holding(len(lines), len(data)), data)
        except OSError as error:
            self.report_disk_error(error)
            return False
        return True
