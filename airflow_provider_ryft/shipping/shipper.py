"""Empties an outbox into a client, within a deadline.

Neither function raises for what a server or a disk does: what became of the queries is in the result, and what could
not be delivered is still in the outbox.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_ryft.outbox.journal import CloseResult, Journal
from airflow_provider_ryft.outbox.outbox import BaseOutbox, Outbox
from airflow_provider_ryft.shipping.drain import drain_ready
from airflow_provider_ryft.shipping.sender import DISK_SECONDS, Sender
from airflow_provider_ryft.shipping.shipping_result import ShippingResult

if TYPE_CHECKING:
    from airflow_provider_ryft.ingest.client import IngestClient
    from airflow_provider_ryft.outbox.object_store_outbox import ObjectStoreOutbox

_FOR_STORE = 0.375  # of the time of a task's end: what is left for an object store when a server does not answer


def ship_outbox(
    outbox: BaseOutbox, connect: Callable[[], IngestClient], *, deadline: float, force: bool = False
) -> ShippingResult:
    """Send what waits in an outbox, the oldest first, orphans included.

    :param outbox: where it waits
    :param connect: makes a client; called only if there is something to send
    :param deadline: seconds for all of it
    :param force: send even if the circuit breaker is open
    """
    with Sender(outbox, connect, deadline, force=force) as sender:
        outbox.adopt_orphans()
        outbox.evict()
        drain_ready(outbox, sender)
    return sender.result


def flush_journal(
    outbox: Outbox,
    journal: Journal,
    connect: Callable[[], IngestClient],
    *,
    deadline: float,
    leftovers: float = 1.0,
    store: ObjectStoreOutbox | None = None,
) -> ShippingResult:
    """Send a journal at the end of its task, and then some of what earlier tasks left; close the journal.

    It may run in any thread, and be abandoned at any point, also with the process that it runs in: what is not settled
    then is found by the next one. After abandoning it do not use the journal, or its queries may be sent twice. A
    journal without queries costs nothing.

    :param outbox: of the journal
    :param journal: what to send; what the server does not take is ready to be sent later
    :param connect: makes a client; called only if there is something to send
    :param deadline: seconds for all of it
    :param leftovers: seconds of these, at the most, for what earlier tasks left
    :param store: where what the server does not take or refuses is put, if this machine's disk is not to keep it
    """
    ends = time.monotonic() + deadline
    seconds = deadline * (1 - _FOR_STORE) if store else deadline
    with Sender(store or outbox, connect, seconds) as sender:
        result = sender.result
        _send_journal(journal, sender)
        stored = store.upload_journal(journal) if store else 0
        closed = journal.close_journal()
        result.kept, result.lost = closed.kept, closed.lost
        if not sender.has_stopped and (result.accepted or closed.kept):
            sender.shorten(leftovers)
            _send_leftovers(outbox, sender, closed)
        if result.kept:
            held = outbox.count_queries(closed.stems)
            held = result.kept if held is None else held
            result.sent_by_other_tasks = max(result.kept - held, 0)
            result.kept = min(result.kept, held)
        if store:
            result.stored = stored + (_upload_closed(store, closed, ends) if result.kept else 0)
            result.kept += stored
    return result


def _send_journal(journal: Journal, sender: Sender) -> None:
    pending = journal.pending_queries()
    if not pending:
        return
    for settled in sender.send(pending.items()):
        journal.mark_settled(settled)
    if sender.suspected_contract_error:
        sender.give_up(sender.suspected_contract_error)


def _send_leftovers(outbox: Outbox, sender: Sender, closed: CloseResult) -> None:
    """Send what earlier tasks left, and what of a closed journal is ready, which is not kept then."""
    result = sender.result
    outbox.adopt_orphans()
    before = result.accepted + result.refused
    settled_of = drain_ready(outbox, sender)
    own = sum(settled_of[stem] for stem in closed.stems)
    result.kept -= own
    now = result.accepted + result.refused
    result.from_earlier_tasks = min(max(now - before - own, 0), result.accepted)


def keep_journal(
    journal: Journal, store: ObjectStoreOutbox | None = None, *, deadline: float = 0.0, problem: str = ""
) -> ShippingResult:
    """Close a journal without asking the server, and return where its queries are now.

    :param journal: what to keep, to be sent later
    :param store: where it is put, if this machine's disk is not to keep it
    :param deadline: seconds after which no more is put there
    :param problem: why it is not sent, for people to read
    """
    ends = time.monotonic() + deadline
    stored = store.upload_journal(journal) if store else 0
    closed = journal.close_journal()
    kept = closed.kept + stored
    if store and closed.kept:
        stored += _upload_closed(store, closed, ends)
    return ShippingResult(kept=kept, stored=stored, lost=closed.lost, problem=problem)


def _upload_closed(store: ObjectStoreOutbox, closed: CloseResult, ends: float) -> int:
    """Put what is on this machine's disk into the store; return how many queries of a closed journal were among it."""
    taken = store.upload_ready(until=ends - DISK_SECONDS)
    return sum(taken[stem] for stem in closed.stems)
