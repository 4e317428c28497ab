"""An outbox in an object store that Airflow opens: from a task's statements to what a command or an operator sends."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath
from airflow.providers.sqlite.hooks.sqlite import SqliteHook
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_ryft import configured_outbox
from airflow_provider_ryft.cli.definition import main
from airflow_provider_ryft.exceptions import DeliveryError
from airflow_provider_ryft.instrumentation import instrumentor
from airflow_provider_ryft.listener import delivery, task_report
from airflow_provider_ryft.operators.ryft import RyftShipOutboxOperator
from airflow_provider_ryft.outbox.object_store_outbox import ObjectStoreOutbox
from airflow_provider_ryft.outbox.outbox import Outbox
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.settings import Settings
from support.outboxes import ids_on_disk

if TYPE_CHECKING:
    from airflow_provider_ryft.sandbox.server import Sandbox

OVERLOADED = Fault(status=503, retry_after="60")
Run = Callable[..., None]


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return a place in a store; the one in memory is registered with Airflow as a provider registers its own."""
    if request.param == "file":
        (tmp_path / "bucket").mkdir()
        yield f"file://{tmp_path}/bucket/ryft"
        return
    from airflow_provider_ryft.compat import IS_AIRFLOW_3

    if IS_AIRFLOW_3:
        from airflow.sdk.io import attach
    else:
        from airflow.io.store import attach  # type: ignore[no-redef]
    MemoryFileSystem.store.clear()
    attach("memory", fs=MemoryFileSystem())
    yield f"memory://bucket/{tmp_path.name}"
    MemoryFileSystem.store.clear()


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the outbox on this machine's disk."""
    monkeypatch.setattr("airflow.configuration.AIRFLOW_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "ryft-outbox"


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, token: str) -> None:
    given = {"conn_type": "ryft", "host": sandbox.url, "password": token, "extra": {"deadline": 2}}
    monkeypatch.setenv("AIRFLOW_CONN_RYFT_DEFAULT", json.dumps(given))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path, url: str) -> Iterator[Run]:
    """Return what runs statements in a task that keeps what it can't deliver in the store."""
    monkeypatch.setenv("AIRFLOW_CONN_LITE", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "lite.db")}))
    monkeypatch.setenv("AIRFLOW__RYFT__OUTBOX_PATH", url)
    monkeypatch.setattr(task_report, "runs_here", lambda _task_instance: True)

    def run(*statements: str, **options: Any) -> None:
        given = Settings(outbox_path=url, **options)
        monkeypatch.setattr(task_report, "_settings", lambda: given)
        task = SimpleNamespace(dag_id="etl", task_id="load", dag=None, owner="ann", task_type="Load")
        names = {"dag_id": "etl", "task_id": "load", "run_id": "r1", "try_number": 1, "map_index": -1}
        task_instance = SimpleNamespace(**names, task=task)
        task_report.start_report(task_instance)
        SqliteHook("lite").run(list(statements))
        task_report.finish_report(task_instance, None)

    yield run
    task_report._current = None
    instrumentor.stop()
    instrumentor.uninstall()


def stored(url: str, place: str = "ready") -> list[bytes]:
    folder = ObjectStoragePath(f"{url}/{place}")
    return [path.read_bytes() for path in sorted(folder.iterdir(), key=str)] if folder.exists() else []


def texts(sandbox: Sandbox) -> list[str]:
    return [record["query"] for record in sandbox.records()]


@pytest.mark.usefixtures("connected")
def test_what_a_task_delivers_leaves_nothing_anywhere(run: Run, url: str, folder: Path, sandbox: Sandbox) -> None:
    run("SELECT 1")
    assert texts(sandbox) == ["SELECT 1"]
    assert stored(url) == []
    assert not ids_on_disk(folder)


@pytest.mark.usefixtures("connected")
def test_what_a_task_cannot_deliver_is_in_the_store_and_sent_from_there(
    run: Run,
    url: str,
    folder: Path,
    sandbox: Sandbox,
    token: str,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO, "airflow_provider_ryft")
    sandbox.faults.set(OVERLOADED)
    run("SELECT 1", "SELECT 2")
    run("SELECT 3")
    assert len(stored(url)) == 2
    assert not any(token.encode() in data for data in stored(url))
    assert not ids_on_disk(folder)
    assert f"0 reported, 2 kept in {url} to be sent later" in caplog.text
    sandbox.faults.set()
    assert main(["outbox", "ship", "--force"]) == 0
    assert "3 queries accepted, 0 refused, 0 left" in capsys.readouterr().out
    assert texts(sandbox) == ["SELECT 1", "SELECT 2", "SELECT 3"]
    assert stored(url) == []


@pytest.mark.usefixtures("connected")
def test_with_delivery_to_the_outbox_a_task_puts_all_there_and_asks_no_server(
    run: Run, url: str, folder: Path, sandbox: Sandbox
) -> None:
    run("SELECT 1", delivery="outbox")
    assert len(stored(url)) == 1
    assert not ids_on_disk(folder)
    assert not sandbox.requests


@pytest.mark.usefixtures("connected")
def test_a_server_that_hangs_leaves_time_for_the_store(
    run: Run, url: str, folder: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is connected to while the server is waited for, because that too takes time."""
    monkeypatch.setattr(delivery, "_SLOW", 0.0)
    connected_by = []
    connect = configured_outbox._object_storage_path

    def connecting(url: str) -> Any:
        connected_by.append(threading.current_thread().name)
        return connect(url)

    monkeypatch.setattr(configured_outbox, "_object_storage_path", connecting)
    sandbox.faults.set(Fault(hang=True))
    run("SELECT 1", delivery_timeout=8.0)
    assert len(stored(url)) == 1
    assert not ids_on_disk(folder)
    assert len(connected_by) == 1
    assert connected_by != ["ryft-delivery"]


@pytest.mark.usefixtures("connected")
def test_a_store_that_hangs_is_waited_for_only_so_long(
    run: Run, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is on disk then is found by the next task, if the thread that is left behind does not get there."""
    caplog.set_level(logging.INFO, "airflow_provider_ryft")
    released = threading.Event()
    connect = configured_outbox._object_storage_path
    monkeypatch.setattr(configured_outbox, "_object_storage_path", lambda url: released.wait() and connect(url))
    run("SELECT 1", delivery="outbox", delivery_timeout=0.2)
    assert f"1 kept in {folder} to be sent later (time was up)" in caplog.text
    assert ids_on_disk(folder, "open").total() == 1
    released.set()
    for thread in threading.enumerate():
        if thread.name == "ryft-delivery":
            thread.join()
    assert len(stored(url)) == 1


@pytest.mark.usefixtures("connected")
def test_a_store_that_is_not_there_keeps_it_on_disk(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "airflow_provider_ryft")
    monkeypatch.setattr(
        configured_outbox, "_object_storage_path", lambda _url: ObjectStoragePath("no-such-thing://x/y")
    )
    run("SELECT 1", delivery="outbox")
    assert f"1 kept in {folder} to be sent later" in caplog.text
    assert ids_on_disk(folder, "ready").total() == 1


@pytest.mark.usefixtures("connected")
def test_the_store_is_not_taken_for_data_of_the_task(
    run: Run, url: str, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    """Airflow notes the files that a task writes through its paths, as the task's outputs."""
    from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

    noted = []
    collector = type(get_hook_lineage_collector())
    for name in ("add_input_asset", "add_output_asset", "add_input_dataset", "add_output_dataset"):
        if hasattr(collector, name):
            monkeypatch.setattr(collector, name, lambda *_a, **options: noted.append(options.get("uri")))
    sandbox.faults.set(OVERLOADED)
    run("SELECT 1")
    sandbox.faults.set()
    assert main(["outbox", "ship", "--force"]) == 0
    assert not any("bucket" in str(uri) for uri in noted)
    with ObjectStoragePath(f"{url}-of-the-task").open("wb") as file:
        file.write(b"1")
    assert any("bucket" in str(uri) for uri in noted)


def test_without_a_connection_a_task_with_a_store_keeps_everything(run: Run, url: str) -> None:
    """A machine whose disk does not last can't know whether there once was one."""
    run("SELECT 1")
    assert len(stored(url)) == 1


@pytest.fixture
def filled(connected: None, run: Run) -> None:
    run("SELECT 1", "SELECT 2", delivery="outbox")


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["outbox", "list", "--output", "json", *arguments]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.usefixtures("filled")
def test_list_shows_the_store(url: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert listed(capsys)["ready"]["queries"] == 2
    assert listed(capsys, "--path", url)["path"] == url
    assert listed(capsys, "--path", str(folder))["ready"]["queries"] == 0
    assert main(["outbox", "list"]) == 0
    assert "is on the disks of their machines" in capsys.readouterr().out


@pytest.mark.usefixtures("filled")
def test_what_is_refused_is_kept_there_and_can_be_sent_again_or_removed(
    url: str, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.faults.set(Fault(refuse="SELECT 2"))
    assert main(["outbox", "ship", "--path", url]) == 0
    assert main(["outbox", "dead", "--path", url]) == 0
    assert "SELECT 2" in capsys.readouterr().out
    assert (len(stored(url)), len(stored(url, "dead"))) == (0, 1)
    assert main(["outbox", "retry-dead", "--path", url]) == 0
    assert (len(stored(url)), len(stored(url, "dead"))) == (1, 0)
    assert main(["outbox", "purge", "ready", "--path", url, "--yes"]) == 0
    assert stored(url) == []
    assert texts(sandbox) == ["SELECT 1"]


@pytest.mark.usefixtures("filled")
def test_check_tries_the_store(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "--output", "json"])
    (found,) = [one for one in json.loads(capsys.readouterr().out)["checks"] if one["check"] == "outbox writable"]
    assert found["ok"] is True
    assert found["detail"].startswith(f"{url}: 2 queries wait")


@pytest.mark.usefixtures("filled")
def test_check_says_what_is_wrong_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--path", "no-such-thing://bucket/ryft", "--output", "json"]) == 1
    (found,) = [one for one in json.loads(capsys.readouterr().out)["checks"] if one["check"] == "outbox writable"]
    assert found["ok"] is False
    assert "Ryft's outbox no-such-thing://bucket/ryft can't be used" in found["detail"]


@pytest.mark.usefixtures("filled")
def test_the_operator_sends_what_is_there(sandbox: Sandbox) -> None:
    operator = RyftShipOutboxOperator(task_id="ship")
    assert operator.execute({}) == {"accepted": 2, "refused": 0, "left": 0}  # type: ignore[typeddict-item]
    assert texts(sandbox) == ["SELECT 1", "SELECT 2"]


@pytest.mark.usefixtures("filled")
def test_the_operator_fails_when_the_server_does_not_take_it(url: str, sandbox: Sandbox) -> None:
    sandbox.faults.set(Fault(status=401))
    with pytest.raises(DeliveryError, match=f"2 queries are left in {url}"):
        RyftShipOutboxOperator(task_id="ship", path=url).execute({})  # type: ignore[typeddict-item]


def test_which_outbox_it_is(folder: Path, tmp_path: Path) -> None:
    """A folder and a URL are told apart; with a URL, tasks still write to a folder of their machine first."""
    with_store = Settings(outbox_path="s3://aws@bucket/ryft")
    assert configured_outbox.local(with_store).path == str(folder)
    assert configured_outbox.store(Settings(outbox_path="/var/lib/ryft")) is None
    assert (
        type(configured_outbox.store(with_store)) is type(configured_outbox.find(None, with_store)) is ObjectStoreOutbox
    )
    assert configured_outbox.find(str(tmp_path), with_store).path == str(tmp_path)
    assert type(configured_outbox.find(None, Settings())) is Outbox
