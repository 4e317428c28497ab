"""An outbox in an object store, for machines whose disk dies with them, such as the pods of Kubernetes.

.. code-block:: text

    journal of a task, on its disk --- one PUT --> ready/ --- the server took it --> deleted
                                                     '------- the server refused --> dead/

While a task runs its journal is on its own disk; what could not be delivered at its end is put into the store, one
object for each segment, under a key that nothing else has. A store knows neither rename nor lock, so two that send from
it at once may both send a segment. Each query has its id then as before: it is delivered at least once. An object is
deleted right after the server took it, which keeps that rare; one sender at a time keeps it from happening.
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_ryft.outbox import dead_letters
from airflow_provider_ryft.outbox.claims import ClaimedSegment, SegmentClaims
from airflow_provider_ryft.outbox.directory import DEAD, OPEN, READY, OutboxDirectory
from airflow_provider_ryft.outbox.object_store import ObjectStore
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.outbox.records import END, record, replay
from airflow_provider_ryft.outbox.segment_name import SegmentName

if TYPE_CHECKING:
    from airflow_provider_ryft.outbox.journal import Journal
    from airflow_provider_ryft.results import RefusedQuery

_MAX_SEGMENTS = 100_000  # each task of an outage leaves one, however small
_NEW = 3600.0  # seconds for which an object that is too short is taken for one that is being written

log = logging.getLogger(__name__)


class StoreFolder(OutboxDirectory):
    """The folders of an outbox in a store, where nothing has to be made beforehand."""

    def prepare(self) -> None:
        """Do nothing: who may read and write there is the store's to know."""

    def exists(self) -> bool:
        """Say yes; an outbox that is not there is an empty one."""
        return True

    def report_disk_error(self, error: OSError) -> str:
        """Say what is wrong with the store, in the log only once; nothing else comes of it."""
        is_news = not self.disk_problem
        why = "there is no such place" if isinstance(error, FileNotFoundError) else error.strerror
        self.disk_problem = (
            f"Ryft's outbox {self.path} can't be used: {why}. What tasks could not "
            "deliver stays on the disks of their machines. Check that the address is right, that its Airflow "
            "connection may list, read, write and delete there, and that fsspec's package for it is installed "
            "([ryft] outbox_path)."
        )
        if is_news:
            log.warning("%s", self.disk_problem)
        return self.disk_problem


class StoreClaims(SegmentClaims):
    """The segments that one sender has read. Nobody else is kept from them: a store has no locks.

    :param folder: of the outbox
    :param store: what does the work
    :param damaged: called with the number of queries that can't be read any more
    """

    def __init__(self, folder: OutboxDirectory, store: ObjectStore, damaged: Callable[[int], None]) -> None:
        super().__init__(folder, damaged)
        self._store = store

    def claim_segment(self, name: SegmentName) -> ClaimedSegment | None:
        """Read a segment that is ready.

        :return: ``None`` if it is gone, or not whole yet, or there is nothing in it
        :raises OSError: if the store does not let us
        """
        try:
            data = self._store.read(self._folder.path_of(READY, str(name)))
        except FileNotFoundError:
            return None
        if len(data) < name.size and time.time() - name.created / 1e9 < _NEW:
            return None
        found = replay(data)
        segment = ClaimedSegment(name, -1, found.lines, len(data))
        self._held.append(segment)
        if found.damaged:
            self._on_damaged(found.damaged)
        if not segment.lines:
            self._remove(segment)
            return None
        return segment

    def _give_back(self, segment: ClaimedSegment) -> SegmentName:
        """Put what is left of a segment in its place; one of which nothing was settled is still there."""
        if not segment.settled:
            return segment.name
        data = segment_of(segment.lines.values())
        name = segment.name.holding(len(segment.lines), len(data))
        if segment.lines:
            self._store.write(self._folder.path_of(READY, str(name)), data)
        if name != segment.name:
            self._store.remove(self._folder.path_of(READY, str(segment.name)))
        return name

    def _remove(self, segment: ClaimedSegment) -> None:
        self._store.remove(self._folder.path_of(READY, str(segment.name)))
        self._close(segment)

    def _close(self, segment: ClaimedSegment) -> None:
        self._held.remove(segment)


class ObjectStoreOutbox(Outbox):
    """An outbox in an object store; see the module for what that means.

    Its limits are kept by whoever sends from it. What is known of the server, and the counters, are this machine's own.

    :param url: of the place, as a person may see it
    :param connect: gives the place, see :class:`ObjectStore`
    :param local: the outbox on this machine's disk
    :param max_bytes: how much may wait to be sent; the oldest is thrown away then
    :param max_age: for how many seconds
    """

    def __init__(
        self,
        url: str,
        connect: Callable[[], Any],
        *,
        local: Outbox,
        max_bytes: int = 256 << 20,
        max_age: float = 7 * 86400.0,
    ) -> None:
        url = re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", url.rstrip("/"))
        store = ObjectStore(url, connect)
        super().__init__(local.path, max_bytes=max_bytes, max_age=max_age, max_segments=_MAX_SEGMENTS, disk=store)
        self.path = url
        self.state = local.state
        self._folder = StoreFolder(url, store)
        self._store = store
        self._local = local

    # --- what a task does at its end

    def connect_early(self) -> None:
        """Connect to the store, while there is nothing else to do; what goes wrong is told when it is needed."""
        with suppress(Exception):
            self._store.open()

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
        taken: Counter[str] = Counter()
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
                    taken[name.stem] = len(segment.lines)
                    claims.mark_settled(segment, list(segment.lines))
            except OSError as error:
                self._local.report_disk_error(error)
        return taken

    # --- what differs from a folder

    def open_journal(self) -> Journal:
        """Return a journal on this machine's disk."""
        return self._local.open_journal()

    def open_claims(self) -> SegmentClaims:
        """Return what a sender reads segments with."""
        return StoreClaims(self._folder, self._store, self._damaged)

    def adopt_orphans(self) -> int:
        """Make the folder that remembers whether the server is to be left alone; a store has no orphans."""
        self._local.try_writing()
        return 0

    def try_writing(self) -> str:
        """Put an object there, read and delete it; return what is wrong, in a few sentences, or nothing."""
        path = self._folder.path_of(OPEN, str(SegmentName.new()))
        try:
            self._store.write(path, b"\n")
            self._store.read(path)
            self._store.remove(path)
        except OSError as error:
            return self.report_disk_error(error)
        return self.disk_problem

    def retry_dead(self) -> int:
        """Make dead letters ready to be sent once more; return the number of queries.

        :raises OSError: if the store does not take them
        """
        retried = 0
        for name in self._folder.segment_names(DEAD):
            letters = list(dead_letters.read(self._folder, name))
            # A new name, because with the age of the old one it might be too old to be sent.
            if letters and not self._put(SegmentName.new(), [letter.line for letter in letters]):
                raise OSError(self.disk_problem)
            self._store.remove(self._folder.path_of(DEAD, str(name)))
            retried += len(letters)
        return retried

    def _bury(self, refused: list[RefusedQuery]) -> None:
        data = b"".join(dead_letters.letters_of(refused))
        self._store.write(self._folder.path_of(DEAD, str(SegmentName.new().holding(len(refused), len(data)))), data)

    def _put(self, name: SegmentName, lines: Iterable[bytes]) -> bool:
        segment = list(lines)
        data = segment_of(segment)
        try:
            self._store.write(self._folder.path_of(READY, str(name.holding(len(segment), len(data)))), data)
        except OSError as error:
            self.report_disk_error(error)
            return False
        return True


def segment_of(lines: Iterable[bytes]) -> bytes:
    """Return queries as they are written down."""
    return b"".join(record(END, number, line) for number, line in enumerate(lines))
