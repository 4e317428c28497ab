"""What the sandbox accepted is kept."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from airflow_provider_ryft.exceptions import ConfigurationError
from airflow_provider_ryft.sandbox.store import Store
from support.strategies import payloads


def record(number: int, *, state: str = "FINISHED", tags: list[str] | None = None) -> dict[str, Any]:
    return {
        "context": {},
        "queryId": f"q-{number}",
        "query": f"SELECT {number}",
        "queryState": state,
        "timestamp": "2026-03-10T12:00:00.000Z",
        "duration_ms": number,
        **({} if tags is None else {"tags": tags}),
    }


def ids(store: Store, **wanted: Any) -> list[str]:
    return [delivery.record["queryId"] for delivery in store.latest(**wanted)]


@given(payload=payloads())
def test_a_record_comes_back_as_it_was(payload: dict[str, Any]) -> None:
    store = Store()
    store.add([payload])
    (delivery,) = store.latest()
    assert delivery.record == payload
    assert list(delivery.record) == list(payload), "in the order of its keys"
    assert all(len(store.latest(tag=tag)) == 1 for tag in payload.get("tags", ()))


def test_the_latest_comes_first() -> None:
    store = Store()
    store.add(record(number) for number in (1, 2))
    store.add([record(3)])
    assert ids(store) == ["q-3", "q-2", "q-1"]
    assert ids(store, limit=2) == ["q-3", "q-2"]
    assert ids(store, limit=0) == []


def test_what_is_delivered_twice_is_kept_twice() -> None:
    store = Store()
    store.add([record(1)])
    store.add([record(1)])
    assert ids(store) == ["q-1", "q-1"]
    assert [delivery.number for delivery in store.latest()] == [2, 1]
    assert store.count() == 2


def test_filters_by_tag_and_state_hold_together() -> None:
    store = Store()
    store.add(
        [
            record(1, tags=["dag:a", "try:1"]),
            record(2, tags=["dag:a"], state="FAILED"),
            record(3, tags=["dag:ab"], state="FAILED"),
            record(4),
        ]
    )
    assert ids(store, tag="dag:a") == ["q-2", "q-1"]
    assert ids(store, state="FAILED") == ["q-3", "q-2"]
    assert ids(store, tag="dag:a", state="FAILED") == ["q-2"]
    assert ids(store, tag="' OR 1=1 --") == []


def test_a_tag_that_a_record_holds_twice_finds_it_once() -> None:
    store = Store()
    store.add([record(1, tags=["dag:a", "dag:a"])])
    assert ids(store, tag="dag:a") == ["q-1"]


def test_since_the_last_number_come_later_ones_also_after_clearing() -> None:
    store = Store()
    assert store.last() == 0
    store.add([record(1, tags=["dag:a"]), record(2)])
    last = store.last()
    store.clear()
    assert (store.count(), ids(store)) == (0, [])
    assert store._rows("SELECT * FROM tag", {}) == []
    store.add([record(3)])
    assert ids(store, since=last) == ["q-3"]
    assert ids(store, tag="dag:a") == []


def test_all_of_a_request_is_kept_or_nothing() -> None:
    store = Store()
    with pytest.raises(KeyError):
        store.add([record(1, tags=["dag:a"]), {"no": "query"}])
    assert store.count() == 0
    assert ids(store, tag="dag:a") == []


def test_a_file_is_kept_over_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "sandbox.db")
    first = Store(path)
    first.add([record(1, tags=["dag:a"])])
    first.close()
    second = Store(path)
    second.add([record(2)])
    assert ids(second) == ["q-2", "q-1"]
    assert ids(second, tag="dag:a") == ["q-1"]
    assert second.last() == 2
    second.close()


def test_threads_do_not_disturb_each_other() -> None:
    store = Store()

    def add(thread: int) -> None:
        for number in range(50):
            store.add([record(100 * thread + number, tags=[f"thread:{thread}"])])
            store.latest(limit=1)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.count() == 400
    assert len(set(ids(store))) == 400
    assert all(len(store.latest(tag=f"thread:{number}")) == 50 for number in range(8))


@pytest.mark.parametrize("name", ["missing/sandbox.db", ".", "text.db"])
def test_a_file_that_cannot_be_used_is_explained_in_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.db").write_text("no database " * 100)
    with pytest.raises(ConfigurationError, match=r"^The SQLite file '.*' can't be used: .*\. Name one"):
        Store(str(tmp_path / name))


def test_after_closing_nothing_is_kept_silently() -> None:
    store = Store()
    store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        store.add([record(1)])
