"""The outbox in an object store: what is put there, sent from there, and what stays on disk when that fails."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from tenacity import wait_none

from airflow_provider_ryft.exceptions import ServerUnavailableError
from airflow_provider_ryft.ingest.client import IngestClient
from airflow_provider_ryft.outbox.dead_letters import DeadLetter
from airflow_provider_ryft.outbox.journal import MAX_QUERIES
from airflow_provider_ryft.outbox.object_store_outbox import ObjectStoreOutbox
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.outbox.records import replay
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.server import Sandbox
from airflow_provider_ryft.shipping.shipper import flush_journal, keep_journal, ship_outbox
from support.outboxes import ids, ids_on_disk, line
from support.shipments import OVERLOADED, Connect, forbidden, journal_of, received

ROOT = "/bucket/ryft"
URL = "memory://bucket/ryft"


class RecordingStore(MemoryFileSystem):
    """A store in memory that records its calls, caches what it listed as those of clouds do, and can fail."""

    cachable = False
    store: dict[str, Any] = {}  # noqa: RUF012  # each test has one of its own
    pseudo_dirs: list[str] = [""]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.store = {}
        self.pseudo_dirs = [""]
        self.done: list[str] = []
        self.listed: dict[str, Any] = {}
        self.fails: dict[str, Exception] = {}
        self.hangs = threading.Event()
        self.hangs.set()

    def _do(self, what: str) -> None:
        self.hangs.wait()
        self.done.append(what)
        if what in self.fails:
            raise self.fails[what]

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        self._do("list")
        if path not in self.listed:
            self.listed[path] = super().ls(path, detail=detail, **options)
        return self.listed[path]

    def invalidate_cache(self, path: str | None = None) -> None:
        self.listed.clear()

    def cat_file(self, path: str, **options: Any) -> Any:
        self._do("read")
        return super().cat_file(path, **options)

    def pipe_file(self, path: str, value: bytes, **options: Any) -> None:
        self._do("write")
        super().pipe_file(path, value, **options)

    def rm_file(self, path: str) -> None:
        self._do("delete")
        if path not in self.store:
            raise FileNotFoundError(path)
        del self.store[path]

    def mv(self, *_arguments: Any, **_options: Any) -> None:
        raise AssertionError("a store has no rename")

    def segments(self, place: str = "ready") -> list[bytes]:
        """Return the objects below a place, by their keys."""
        return [file.getvalue() for key, file in sorted(self.store.items()) if key.startswith(f"{ROOT}/{place}/")]

    def ids(self) -> list[str]:
        return [one for data in self.segments() for one in ids(replay(data).lines.values())]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_ryft.ingest.push._jitter", wait_none())


@pytest.fixture
def fs() -> Iterator[RecordingStore]:
    fs = RecordingStore()
    yield fs
    fs.hangs.set()


@pytest.fixture
def local(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox")


@pytest.fixture
def store(fs: RecordingStore, local: Outbox) -> ObjectStoreOutbox:
    return of(fs, local)


@pytest.fixture
def connect(sandbox: Sandbox, token: str) -> Connect:
    return lambda: IngestClient(token, base_url=sandbox.url)


def of(fs: RecordingStore, local: Outbox, **options: Any) -> ObjectStoreOutbox:
    return ObjectStoreOutbox(URL, lambda: SimpleNamespace(fs=fs, path=ROOT), local=local, **options)


def leave(local: Outbox, store: ObjectStoreOutbox, *query_ids: str) -> None:
    assert keep_journal(journal_of(local, *query_ids), store, deadline=5).stored == len(query_ids)


def test_what_the_server_takes_is_never_in_the_store(
    local: Outbox, store: ObjectStoreOutbox, fs: RecordingStore, sandbox: Sandbox, connect: Connect
) -> None:
    shipped = flush_journal(local, journal_of(local, "a", "b"), connect, deadline=5, store=store)
    assert (shipped.accepted, shipped.kept, shipped.stored) == (2, 0, 0)
    assert received(sandbox) == ["a", "b"]
    assert fs.done == []


def test_what_it_does_not_take_is_one_put_and_nothing_on_disk(
    local: Outbox,
    store: ObjectStoreOutbox,
    fs: RecordingStore,
    sandbox: Sandbox,
    connect: Connect,
    token: str,
) -> None:
    """One object under a key of its own: no list, no read, no rename; and no token in it."""
    sandbox.faults.set(OVERLOADED)
    shipped = flush_journal(local, journal_of(local, "a", "b"), connect, deadline=5, store=store)
    assert (shipped.accepted, shipped.kept, shipped.stored, shipped.lost) == (0, 2, 2, 0)
    assert fs.done == ["write"]
    assert fs.ids() == ["a", "b"]
    assert not ids_on_disk(local.path)
    (key,) = fs.store
    assert key.endswith(f".2q.{len(fs.segments()[0])}b.ndjson")
    assert token.encode() not in fs.segments()[0]


def test_a_part_of_the_time_is_left_for_the_store(
    local: Outbox,
    store: ObjectStoreOutbox,
    fs: RecordingStore,
    sandbox: Sandbox,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that does not answer is not waited for until the end, as it is without a store."""
    waits: list[float] = []

    def unanswered(_client: IngestClient, _lines: list[bytes], *, deadline: float) -> Any:
        waits.append(deadline)
        raise ServerUnavailableError("nothing came")

    monkeypatch.setattr(IngestClient, "push_lines", unanswered)
    flush_journal(local, journal_of(local, "a"), connect, deadline=4, store=store)
    assert 0 < waits[0] <= 2.5
    assert fs.ids() == ["a"]


def test_what_it_refuses_is_put_below_dead(
    local: Outbox, store: ObjectStoreOutbox, fs: RecordingStore, sandbox: Sandbox, connect: Connect
) -> None:
    sandbox.faults.set(Fault(refuse="^bad$"))
    shipped = flush_journal(local, journal_of(local, "good", "bad"), connect, deadline=5, store=store)
    assert (shipped.accepted, shipped.refused, shipped.kept) == (1, 1, 0)
    assert [letter.payload["queryId"] for letter in store.dead_letters()] == ["bad"]
    assert fs.done.count("write") == 1
    assert not ids_on_disk(local.path)


def test_what_it_refuses_stays_on_disk_if_the_store_does_not_take_it(
    local: Outbox, store: ObjectStoreOutbox, fs: RecordingStore, sandbox: Sandbox, connect: Connect
) -> None:
    fs.fails["write"] = OSError("full")
    sandbox.faults.set(Fault(refuse="^bad$"))
    shipped = flush_journal(local, journal_of(local, "good", "bad"), connect, deadline=5, store=store)
    assert (shipped.accepted, shipped.refused, shipped.kept, shipped.stored) == (1, 0, 1, 0)
    assert ids_on_disk(local.path, "ready") == {"bad": 1}


def test_each_task_has_a_key_of_its_own(local: Outbox, store: ObjectStoreOutbox, fs: RecordingStore) -> None:
    for number in range(5):
        leave(local, store, f"q{number}")
    assert len(fs.store) == 5
    assert fs.ids() == [f"q{number}" for number in range(5)]


def test_a_put_that_fails_leaves_the_segment_on_disk(
    local: Outbox,
    store: ObjectStoreOutbox,
    fs: RecordingStore,
    sandbox: Sandbox,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The next task that delivers its own sends it, as without a store; what the store said may be secret."""
    fs.fails["write"] = RuntimeError("key AKIA-very-secret is not allowed")
    sandbox.faults.set(OVERLOADED)
    shipped = flush_journal(local, journal_of(local, "a"), connect, deadline=5, store=store)
    assert (shipped.kept, shipped.stored, shipped.lost) == (1, 0, 0)
    assert ids_on_disk(local.path, "ready") == {"a": 1}
    assert "the object store failed with RuntimeError" in store.disk_problem
    assert "very-secret" not in caplog.text
    sandbox.faults.set()
    local.state.record_success()
    assert flush_journal(local, journal_of(local, "b"), connect, deadline=5, store=store).accepted == 2
    assert sorted(received(sandbox)) == ["a", "b"]


@pytest.mark.parametrize("error", [ImportError("Install s3fs to access S3"), PermissionError("no"), KeyError("x")])
def test_a_store_that_cannot_even_be_made_leaves_it_on_disk(local: Outbox, error: Exception) -> None:
    def fail() -> Any:
        raise error

    store = ObjectStoreOutbox("s3://bucket/ryft", fail, local=local)
    assert keep_journal(journal_of(local, "a"), store, deadline=5).kept == 1
    assert ids_on_disk(local.path, "ready") == {"a": 1}
    expected = "Install s3fs" if isinstance(error, ImportError) else type(error).__name__
    assert expected in store.disk_problem


def test_a_disk_that_cannot_be_written_to_is_no_loss_with_a_store(tmp_path: Path, fs: RecordingStore) -> None:
    """Many containers have a root file system that is read only."""
    (tmp_path / "file").write_text("")
    local = Outbox(tmp_path / "file" / "outbox")
    shipped = keep_journal(journal_of(local, "a", "b"), of(fs, local), deadline=5)
    assert (shipped.kept, shipped.stored, shipped.lost) == (2, 2, 0)
    assert fs.ids() == ["a", "b"]


def test_what_was_sealed_on_disk_meanwhile_follows_in_its_own_segments(
    local: Outbox, store: ObjectStoreOutbox, fs: RecordingStore
) -> None:
    """A task of many statements seals some while it runs; one that still runs then is reported as interrupted."""
    journal = journal_of(local, *(f"q{number}" for number in range(MAX_QUERIES + 10)))
    journal.record_start("running", line("running", interrupted=True))
    shipped = keep_journal(journal, store, deadline=5)
    assert shipped.kept == shipped.stored == MAX_QUERIES + 11
    assert len(fs.store) == 3
    assert sorted(fs.ids()) == sorted([*(f"q{number}" for number in range(MAX_QUERIES + 10)), "running"])
    assert not ids_on_disk(local.path)


def test_no_more_is_put_there_when_time_is_up(local: Outbox, store: ObjectStoreOutbox, fs: RecordingStore) -> None:
    journal_of(local, "old").close_journal()
    store.upload_ready(until=time.monotonic() - 1)
    assert fs.done == []
    assert ids_on_disk(local.path, "ready") == {"old": 1}


def test_while_a_store_hangs_the_journal_stays_on_disk(
    local: Outbox, store: ObjectStoreOutbox, fs: RecordingStore
) -> None:
    """The task stops waiting for the thread, and its journal is adopted."""
    fs.hangs.clear()
    journal = journal_of(local, "a")
    thread = threading.Thread(target=keep_journal, args=(journal, store), kwargs={"deadline": 0.1}, daemon=True)
    thread.start()
    assert ids_on_disk(local.path, "open") == {"a": 1}
    fs.hangs.set()
    thread.join()
    assert fs.ids() == ["a"]
    assert not ids_on_disk(local.path)


def test_what_is_there_is_sent_the_oldest_first_and_deleted(
    local: Outbox, store: ObjectStoreOutbox, fs: RecordingStore, sandbox: Sandbox, connect: Connect
) -> None:
    for number in range(5):
        leave(local, store, f"q{number}")
    shipped = ship_outbox(store, connect, deadline=20)
    assert (shipped.accepted, shipped.problem) == (5, "")
    assert received(sandbox) == [f"q{number}" for number in range(5)]
    assert fs.store == {}
    assert len(sandbox.requests) == 1


def test_an_object_is_deleted_right_after_its_own_request(
    local: Outbox,
    store: ObjectStoreOutbox,
    fs: RecordingStore,
    sandbox: Sandbox,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So few are sent twice by two senders, or after one that was killed."""
    for number in range(3):
        leave(local, store, f"q{number}")
    fs.done.clear()
    push = IngestClient.push_lines

    def noting(self: IngestClient, *arguments: Any, **options: Any) -> Any:
        result = push(self, *arguments, **options)
        fs.done.append("sent")
        return result

    monkeypatch.setattr(IngestClient, "push_lines", noting)
    ship_outbox(store, lambda: IngestClient(token, base_url=sandbox.url, max_batch_count=1), deadline=20)
    steps = [step for step in fs.done if step in ("sent", "delete")]
    assert steps == ["sent", "delete"] * 3


def test_with_nothing_there_no_server_is_asked(store: ObjectStoreOutbox) -> None:
    assert ship_outbox(store, forbidden, deadline=5).accepted == 0


def test_what_is_refused_is_put_below_dead(
    local: Outbox, store: ObjectStoreOutbox, fs: RecordingStore, sandbox: Sandbox, connect: Connect
) -> None:
    leave(local, store, "good", "bad")
    sandbox.faults.set(Fault(refuse="^bad$"))
    shipped = ship_outbox(store, connect, deadline=20)
    assert (shipped.accepted, shipped.refused) == (1, 1)
    assert fs.segments() == []
    (data,) = fs.segments("dead")
    assert ids([DeadLetter.decode(data.rstrip()).line]) == ["bad"]
    (letter,) = store.dead_letters()
    assert "told to refuse" in letter.message
    sandbox.faults.set()
    assert store.retry_dead() == 1
    assert fs.segments("dead") == []
    assert ship_outbox(store, connect, deadline=20).accepted == 1
    assert received(sandbox) == ["good", "bad"]


def test_what_cannot_be_sent_stays_there_and_the_server_is_left_alone(
    local: Outbox, store: ObjectStoreOutbox, fs: RecordingStore, sandbox: Sandbox, connect: Connect
) -> None:
    leave(local, store, "a")
    before = dict(fs.store)
    sandbox.faults.set(Fault(status=401))
    assert "refused the ingest token" in ship_outbox(store, connect, deadline=5).problem
    assert fs.store == before
    assert ship_outbox(store, forbidden, deadline=5).problem.startswith("The circuit breaker is open")


def test_a_machine_that_runs_no_tasks_remembers_it_too(
    local: Outbox,
    store: ObjectStoreOutbox,
    fs: RecordingStore,
    sandbox: Sandbox,
    connect: Connect,
    tmp_path: Path,
) -> None:
    """Otherwise a sender without end would ask a failing server each time."""
    leave(local, store, "a")
    elsewhere = of(fs, Outbox(tmp_path / "elsewhere"))
    sandbox.faults.set(Fault(status=401))
    ship_outbox(elsewhere, connect, deadline=5)
    assert ship_outbox(elsewhere, forbidden, deadline=5).problem.startswith("The circuit breaker is open")


def test_one_that_another_sender_deleted_meanwhile_is_skipped(
    local: Outbox, store: ObjectStoreOutbox, fs: RecordingStore, sandbox: Sandbox, connect: Connect
) -> None:
    leave(local, store, "gone")
    leave(local, store, "there")
    with store.open_claims() as claims:
        (gone, _) = store.ready_segments()
        fs.store.pop(min(fs.store))
        assert claims.claim_segment(gone) is None
    assert ship_outbox(store, connect, deadline=5).accepted == 1
    assert received(sandbox) == ["there"]


def test_two_senders_at_once_send_with_the_same_ids_and_neither_fails(
    local: Outbox,
    store: ObjectStoreOutbox,
    fs: RecordingStore,
    sandbox: Sandbox,
    connect: Connect,
    tmp_path: Path,
) -> None:
    """A store has no locks: at least once is what it gives."""
    leave(local, store, "a", "b")
    other = of(fs, Outbox(tmp_path / "other"))
    with store.open_claims() as claims:
        (name,) = store.ready_segments()
        segment = claims.claim_segment(name)
        assert segment is not None
        assert ship_outbox(other, connect, deadline=20).accepted == 2
        connect().push_lines(list(segment.lines.values()))
        claims.mark_settled(segment, list(segment.lines))
    assert fs.store == {}
    assert len(sandbox.requests) == 2
    assert set(received(sandbox)) == {"a", "b"}


def test_what_is_left_of_a_segment_replaces_it(local: Outbox, store: ObjectStoreOutbox, fs: RecordingStore) -> None:
    """Half of it was accepted when the server went away."""
    leave(local, store, "a", "b", "c")
    with store.open_claims() as claims:
        (name,) = store.ready_segments()
        segment = claims.claim_segment(name)
        assert segment is not None
        claims.mark_settled(segment, list(segment.lines)[:2])
    assert fs.ids() == ["c"]
    (left,) = store.ready_segments()
    assert (left.stem, left.queries) == (name.stem, 1)


def test_one_that_is_still_being_written_is_left_alone(
    local: Outbox, store: ObjectStoreOutbox, fs: RecordingStore, connect: Connect
) -> None:
    """Not every store shows an object only when all of it is there; a mounted file system does not."""
    leave(local, store, "a", "b")
    (key,) = fs.store
    whole = fs.store[key].getvalue()
    fs.store[key].seek(len(whole) // 2)
    fs.store[key].truncate()
    assert ship_outbox(store, connect, deadline=5).accepted == 0
    fs.pipe_file(key, whole)
    assert ship_outbox(store, connect, deadline=5).accepted == 2


@pytest.mark.parametrize("operation", ["list", "read", "delete"])
def test_a_store_that_fails_is_reported_and_never_raises(
    operation: str,
    local: Outbox,
    store: ObjectStoreOutbox,
    fs: RecordingStore,
    sandbox: Sandbox,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
) -> None:
    leave(local, store, "a")
    fs.fails[operation] = ValueError("something secret")
    ship_outbox(store, connect, deadline=5)
    assert "the object store failed with ValueError" in store.disk_problem
    assert "secret" not in caplog.text
    assert len(fs.store) == 1
    fs.fails.clear()
    assert ship_outbox(store, connect, deadline=5).accepted == 1
    assert fs.store == {}


def test_the_oldest_is_evicted_beyond_the_limits(
    local: Outbox, fs: RecordingStore, caplog: pytest.LogCaptureFixture
) -> None:
    store = of(fs, local, max_bytes=700)
    for number in range(5):
        leave(local, store, f"q{number}")
    caplog.set_level(logging.WARNING)
    assert store.evict() > 0
    assert fs.ids() == [f"q{number}" for number in range(5)][-len(fs.store) :]
    assert f"Ryft's outbox {URL} was beyond its limits" in caplog.text


def test_a_dead_letter_that_is_old_is_sent_again_all_the_same(
    local: Outbox, fs: RecordingStore, sandbox: Sandbox, connect: Connect
) -> None:
    """Dead letters are kept for longer than what waits to be sent."""
    store = of(fs, local)
    leave(local, store, "bad")
    sandbox.faults.set(Fault(refuse="^bad$"))
    ship_outbox(store, connect, deadline=5)
    sandbox.faults.set()
    (key,) = fs.store
    name = key.rpartition("/")[2]
    fs.store[key.replace(name[:20], f"{int(name[:20]) - 8 * 86400 * 10**9:020d}")] = fs.store.pop(key)
    assert store.retry_dead() == 1
    assert ship_outbox(store, connect, deadline=5).accepted == 1


def test_stats_tell_what_is_there(local: Outbox, store: ObjectStoreOutbox) -> None:
    leave(local, store, "a", "b")
    stats = store.stats()
    assert (stats.ready.files, stats.ready.queries) == (1, 2)
    assert stats.ready.bytes > 100
    assert (stats.running.files, stats.dead.files) == (0, 0)


def test_purge(local: Outbox, store: ObjectStoreOutbox, fs: RecordingStore) -> None:
    leave(local, store, "a", "b")
    assert store.purge("ready") == 2
    assert fs.store == {}


def test_a_try_puts_reads_and_deletes(store: ObjectStoreOutbox, fs: RecordingStore) -> None:
    assert store.try_writing() == ""
    assert fs.done == ["write", "read", "delete"]
    assert fs.store == {}
    fs.fails["read"] = PermissionError("denied")
    assert "the object store failed with PermissionError" in store.try_writing()


def test_foreign_objects_are_left_alone(local: Outbox, store: ObjectStoreOutbox, fs: RecordingStore) -> None:
    fs.pipe_file(f"{ROOT}/ready/readme.txt", b"hello")
    leave(local, store, "a")
    assert [name.queries for name in store.ready_segments()] == [1]
    store.purge("ready")
    assert list(fs.store) == [f"{ROOT}/ready/readme.txt"]


def test_a_password_in_the_address_is_not_shown(local: Outbox) -> None:
    store = ObjectStoreOutbox("ftp://ann:s3cret@host/ryft/", forbidden, local=local)
    assert store.path == "ftp://ann:***@host/ryft"
    assert "s3cret" not in repr(store)


def test_a_store_with_folders_gets_its_own_made_but_not_those_above(tmp_path: Path, local: Outbox) -> None:
    """A bucket that is not there is an error, and nothing to be made."""
    fs = fsspec.filesystem("file")
    store = ObjectStoreOutbox("file:///x", lambda: SimpleNamespace(fs=fs, path=str(tmp_path / "store")), local=local)
    leave(local, store, "a")
    assert len(list((tmp_path / "store" / "ready").iterdir())) == 1
    missing = ObjectStoreOutbox(
        "file:///y", lambda: SimpleNamespace(fs=fs, path=str(tmp_path / "no" / "store")), local=local
    )
    assert keep_journal(journal_of(local, "b"), missing, deadline=5).stored == 0
    assert not (tmp_path / "no").exists()
    assert "there is no such place" in missing.disk_problem
    assert ids_on_disk(local.path, "ready") == {"b": 1}
