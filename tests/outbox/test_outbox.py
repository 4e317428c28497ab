"""What the outbox shows and removes, and what its import costs."""

from __future__ import annotations

import pytest

from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.results import RefusedQuery
from support.outboxes import leave, line, python, write


def test_nothing_of_requests_is_imported_for_it() -> None:
    output = python(
        """
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.shipping.shipper import flush_journal, ship_outbox
print(*sorted({"requests", "urllib3", "airflow", "tenacity", "pendulum"} & set(sys.modules)))
"""
    )
    assert output.strip() == ""


def test_stats(outbox: Outbox) -> None:
    assert outbox.stats().ready.files == 0
    leave(outbox, "a", "b")
    leave(outbox, "c")
    journal = outbox.open_journal()
    write(journal, "d")
    journal.record_start("e", line("e", interrupted=True))
    outbox.add_dead_letters([RefusedQuery(line("f"), 400, "no")])
    with outbox.open_claims() as claims:
        assert claims.claim_segment(outbox.ready_segments()[0])
        stats = outbox.stats()
    counted = {place: getattr(stats, place) for place in ("running", "ready", "claimed", "dead")}
    assert {place: (one.files, one.queries) for place, one in counted.items()} == {
        "running": (1, 2),
        "ready": (1, 1),
        "claimed": (1, 2),
        "dead": (1, 1),
    }
    assert all(one.bytes > 0 and 0 <= one.age < 600 for one in counted.values())
    assert stats.state.counters == {"refused": 1}
    assert outbox.stats().claimed.files == 0


def test_purge(outbox: Outbox) -> None:
    leave(outbox, "a", "b")
    outbox.add_dead_letters([RefusedQuery(line("c"), 400, "no")])
    assert outbox.purge("dead") == 1
    assert outbox.purge("ready") == 2
    assert outbox.stats().state.counters == {"refused": 1, "purged": 3}
    with pytest.raises(ValueError, match="must be ready or dead"):
        outbox.purge("open")
