"""Delivers the queries of a task at its end, on a thread that the task waits for only so long.

Airflow gives a task's process 20 seconds after its work (``[core] task_success_overtime``), which all listeners share.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from time import monotonic
from typing import TYPE_CHECKING

from airflow_provider_ryft.exceptions import RyftError
from airflow_provider_ryft.listener import metrics
from airflow_provider_ryft.outbox.journal import Journal
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.settings import Settings
from airflow_provider_ryft.shipping.shipping_result import ShippingResult

if TYPE_CHECKING:
    from airflow_provider_ryft.ingest.client import IngestClient
    from airflow_provider_ryft.outbox.object_store_outbox import ObjectStoreOutbox

log = logging.getLogger(__name__)

_DELIVERS_LATER = "[ryft] delivery is outbox"
_CONTINUES_LATER = "the task goes on later"

# A task that is deferred or rescheduled may be started again at once. While its old process lives, the scheduler takes
# the end of that one for the end of the new one, and fails the task: so that process must not wait for any server, nor
# for a busy disk, nor for the imports of a client.
_AT_ONCE = 1.0

# Seconds after which a server is so slow that the object store may be needed. To import what it takes and to connect
# may last longer than the time that is left for it in the end.
_SLOW = 0.5


@contextmanager
def _if_slow(do: Callable[[], None]) -> Iterator[None]:
    """Do something meanwhile if what follows takes long."""
    timer = threading.Timer(_SLOW, do)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class ConnectionMissingError(RyftError):
    """There is no connection to Ryft, so nothing is to be reported."""


class TaskDelivery:
    """Delivers a journal, and logs one summary line.

    :param settings: the options of ``[ryft]``
    :param outbox: of the journal
    :param journal: what to deliver
    :param tags: of the metrics
    :param store: where what is not delivered is put, if the outbox's disk is not to keep it
    """

    def __init__(
        self,
        settings: Settings,
        outbox: Outbox,
        journal: Journal,
        tags: Mapping[str, str],
        store: ObjectStoreOutbox | None = None,
    ) -> None:
        self._settings = settings
        self._outbox = outbox
        self._journal = journal
        self._tags = tags
        self._store = store
        self._ends = 0.0
        self._result: ShippingResult | None = None
        self._is_unconfigured = False
        self._continues_later = False

    def run(self, captured: int, *, continues_later: bool = False) -> None:
        """Deliver, within ``[ryft] delivery_timeout``; what is not delivered then stays in the outbox.

        :param captured: how many statements the journal is about
        :param continues_later: whether the task goes on in another process, so that all of it must be left to that one
        """
        self._continues_later = continues_later
        if self._settings.delivery == "outbox" and self._store is None:
            self._close(_DELIVERS_LATER, synced=not continues_later)
            self._log_summary(captured)
            return
        started = monotonic()
        patience = self._settings.delivery_timeout
        if continues_later and self._store is None:
            patience = min(patience, _AT_ONCE)
        self._ends = started + patience
        thread = threading.Thread(target=self._deliver, name="ryft-delivery", daemon=True)
        thread.start()
        thread.join(patience)
        metrics.time("delivery", monotonic() - started, self._tags)
        if self._is_unconfigured:
            log.info(
                "Ryft: %d statements are not reported, because there is no connection %r. Add it, with type ryft and "
                "the ingest token as its password, or set [ryft] disabled.",
                captured,
                self._settings.conn_id,
            )
        else:
            self._log_summary(captured)

    def _deliver(self) -> None:
        if self._settings.delivery == "outbox":
            self._keep(_DELIVERS_LATER)
            return
        try:
            if self._continues_later:
                self._leave_to_next_task()
                return
            from airflow_provider_ryft.shipping.shipper import flush_journal

            # While the circuit breaker is open, nothing is asked for the connection either.
            client = None if self._outbox.remaining_pause() else self._client()
            with _if_slow(self._store.connect_early) if self._store else nullcontext():
                self._result = flush_journal(
                    self._outbox,
                    self._journal,
                    lambda: client or self._client(),
                    deadline=self._settings.delivery_timeout,
                    store=self._store,
                )
        except ConnectionMissingError as error:
            self._without_connection(str(error))
        except RyftError as error:
            self._keep(str(error))
        except Exception as error:
            self._keep(f"the delivery failed with {type(error).__name__}")  # whose message may hold anything

    def _leave_to_next_task(self) -> None:
        """Keep the journal for the next task that ends."""
        if not self._outbox.state.read_state().last_success:
            self._client()  # there may be none, so that nothing is to be kept
        if self._store is None:
            self._close(_CONTINUES_LATER, synced=False)
        else:
            self._keep(_CONTINUES_LATER)

    def _keep(self, problem: str) -> None:
        from airflow_provider_ryft.shipping.shipper import keep_journal

        left = self._ends - monotonic()
        self._result = keep_journal(self._journal, self._store, deadline=left, problem=problem)

    def _close(self, problem: str, *, synced: bool) -> None:
        closed = self._journal.close_journal(synced=synced)
        self._result = ShippingResult(kept=closed.kept, lost=closed.lost, problem=problem)

    def _without_connection(self, problem: str) -> None:
        """Forget the journal, unless this machine once delivered one, or can't remember whether it did.

        Airflow 3 says "not defined" also when its API server, or a secrets backend, could not be asked. A machine that
        keeps its queries in an object store does so because its disk, and what it remembers, does not last.
        """
        if self._store is not None or self._outbox.state.read_state().last_success:
            self._keep(problem)
        else:
            self._is_unconfigured = True
            self._journal.mark_settled(self._journal.pending_queries())
            self._journal.close_journal()

    def _client(self) -> IngestClient:
        from airflow.providers.common.compat.sdk import AirflowNotFoundException

        from airflow_provider_ryft.hooks.ryft import RyftIngestHook

        try:
            return RyftIngestHook(self._settings.conn_id).get_conn()
        except AirflowNotFoundException:
            raise ConnectionMissingError(f"There is no connection {self._settings.conn_id!r}.") from None

    def _log_summary(self, captured: int) -> None:
        result = self._result or ShippingResult(kept=captured, problem="time was up")
        reported = result.accepted - result.from_earlier_tasks
        on_disk = result.kept - result.stored
        numbers = {"reported": reported, "refused": result.refused, "kept": result.kept, "dropped": result.lost}
        for name, number in numbers.items():
            metrics.count(name, number, self._tags)
        metrics.count("reported", result.from_earlier_tasks, {})  # of which tasks is not known here
        others = [
            (result.sent_by_other_tasks, "sent by other tasks"),
            (result.refused, "refused, which are dead letters"),
            (result.stored, f"kept in {self._store.path if self._store else ''} to be sent later"),
            (on_disk, f"kept in {self._outbox.path} to be sent later"),
            (result.lost, "lost"),
        ]
        told = [f"{reported} reported", *(f"{number} {what}" for number, what in others if number > 0)]
        if result.from_earlier_tasks:
            told.append(f"and {result.from_earlier_tasks} of earlier tasks reported")
        log.log(
            logging.WARNING if result.lost or result.refused else logging.INFO,
            "Ryft: %d SQL statement%s; %s%s.",
            captured,
            "" if captured == 1 else "s",
            ", ".join(told),
            f" ({result.problem})" if result.problem else "",
        )
