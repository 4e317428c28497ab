"""A task's report: from its start, over real statements of a real hook, to what arrives at the server."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.sqlite.hooks.sqlite import SqliteHook

from airflow_provider_ryft.extractors import operators
from airflow_provider_ryft.instrumentation import instrumentor
from airflow_provider_ryft.listener import delivery, metrics, preload, task_report
from airflow_provider_ryft.outbox.filesystem import FileSystem
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.settings import Settings

if TYPE_CHECKING:
    from airflow_provider_ryft.sandbox.server import Sandbox


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AIRFLOW_CONN_LITE", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "lite.db")}))
    monkeypatch.setattr(task_report, "runs_here", lambda _task_instance: True)
    yield
    task_report._current = None
    instrumentor.stop()
    instrumentor.uninstall()


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, token: str) -> None:
    given = {"conn_type": "ryft", "host": sandbox.url, "password": token}
    monkeypatch.setenv("AIRFLOW_CONN_RYFT_DEFAULT", json.dumps(given))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Return what is counted in Airflow's metrics."""
    counts: dict[str, int] = {}

    def incr(name: str, number: int, tags: dict[str, str]) -> None:
        assert tags == {"dag_id": "etl", "task_id": "load"}
        counts[name] = counts.get(name, 0) + number

    stats = SimpleNamespace(incr=incr, timing=lambda *_arguments, **_options: None)
    monkeypatch.setattr(metrics, "_stats", lambda: stats)
    return counts


def use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **options: Any) -> Path:
    """Set options; return the outbox."""
    settings = Settings(outbox_path=str(tmp_path / "outbox"), **options)
    monkeypatch.setattr(task_report, "_settings", lambda: settings)
    return tmp_path / "outbox"


def instance(**facts: Any) -> SimpleNamespace:
    dag = SimpleNamespace(dag_id="etl", tags=["nightly"])
    task = SimpleNamespace(dag_id="etl", task_id="load", dag=dag, owner="ann", task_type="Load")
    names = {"dag_id": "etl", "task_id": "load", "run_id": "r1", "try_number": 1, "map_index": -1, "task": task}
    return SimpleNamespace(**{**names, **facts})


def queries(outbox: Path, place: str) -> int:
    from airflow_provider_ryft.outbox.outbox import Outbox

    return int(getattr(Outbox(outbox).stats(), place).queries)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith("Ryft")]


@pytest.mark.usefixtures("connected")
def test_what_a_task_ran_arrives_when_it_ends(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    sandbox: Sandbox,
    counted: dict[str, int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    outbox = use(monkeypatch, tmp_path)
    caplog.set_level(logging.INFO)
    task_instance = instance()
    task_report.start_report(task_instance)
    SqliteHook("lite").run(["CREATE TABLE t (a)", "SELECT a FROM t"])
    assert sandbox.records() == []
    assert queries(outbox, "running") == 2
    task_report.finish_report(task_instance, None)
    assert [record["query"] for record in sandbox.records()] == ["CREATE TABLE t (a)", "SELECT a FROM t"]
    assert queries(outbox, "running") == 0
    assert lines(caplog) == ["Ryft: 2 SQL statements; 2 reported."]
    assert counted == {"ryft.captured": 2, "ryft.reported": 2}


@pytest.mark.usefixtures("connected")
def test_a_task_without_sql_costs_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = use(monkeypatch, tmp_path)
    caplog.set_level(logging.INFO)
    task_report.start_report(instance())
    task_report.finish_report(instance(), None)
    assert not sandbox.requests
    assert not outbox.exists()
    assert lines(caplog) == []


@pytest.mark.usefixtures("connected")
def test_the_end_of_another_task_is_none_of_its_business(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox
) -> None:
    use(monkeypatch, tmp_path)
    task_report.start_report(instance())
    SqliteHook("lite").run("SELECT 1")
    task_report.finish_report(instance(task_id="other"), None)
    assert not sandbox.requests
    task_report.finish_report(instance(), None)
    assert len(sandbox.records()) == 1


@pytest.mark.usefixtures("connected")
def test_all_is_made_ready_while_a_statement_is_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox
) -> None:
    """A signal's handler may run the first statement in the middle of a count, and waits until all is ready."""
    use(monkeypatch, tmp_path)
    monkeypatch.setattr(preload, "_wanted", set())
    task_report.start_report(instance())
    current: Any = task_report._current
    with current._lock:
        current.on_hook_created()
        thread: Any = preload._thread
        thread.join(5)
        assert not thread.is_alive()
    assert current._writer is not None


@pytest.mark.usefixtures("connected")
def test_an_end_is_delivered_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox) -> None:
    """Airflow reports the success, and then the stopping."""
    use(monkeypatch, tmp_path)
    task_report.start_report(instance())
    SqliteHook("lite").run("SELECT 1")
    task_report.finish_report(instance(), None)
    task_report.flush_report()
    task_report.finish_report(instance(), None)
    assert len(sandbox.requests) == 1


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize("state", ["skipped", "failed", "up_for_retry"])
def test_a_task_that_ended_otherwise_is_delivered_when_its_process_stops(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox, state: str
) -> None:
    use(monkeypatch, tmp_path)
    task_instance = instance()
    task_report.start_report(task_instance)
    SqliteHook("lite").run("SELECT 1")
    task_instance.state = state
    task_report.flush_report()
    assert len(sandbox.records()) == 1


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize("state", ["deferred", "up_for_reschedule", None])
def test_a_task_that_goes_on_asks_no_server_and_leaves_its_statements_to_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox, state: str | None
) -> None:
    """It may be started again before its process has ended, which the scheduler would take for the end of it."""
    use(monkeypatch, tmp_path)
    task_instance = instance()
    task_report.start_report(task_instance)
    SqliteHook("lite").run("SELECT 1")
    task_instance.state = state
    task_report.flush_report()
    assert not sandbox.statuses()
    task_report.start_report(instance())
    SqliteHook("lite").run("SELECT 2")
    task_report.finish_report(instance(), None)
    assert sorted(record["query"] for record in sandbox.records()) == ["SELECT 1", "SELECT 2"]


@pytest.mark.usefixtures("connected")
def test_a_task_that_goes_on_waits_for_no_disk_and_imports_no_client(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox
) -> None:
    """Its state is reported already, and the scheduler may start it again."""
    outbox = use(monkeypatch, tmp_path)
    task_report.start_report(instance())
    SqliteHook("lite").run("SELECT 1")
    task_report.finish_report(instance(), None)  # so that it is known that there is a connection
    for name in ("sync", "sync_file", "sync_folder"):
        monkeypatch.setattr(FileSystem, name, lambda *_arguments: pytest.fail("it waits"))
    monkeypatch.setitem(sys.modules, "airflow_provider_ryft.shipping.shipper", None)
    task_report.start_report(instance(state="deferred"))
    SqliteHook("lite").run("SELECT 2")
    task_report.flush_report()
    assert queries(outbox, "ready") == 1


@pytest.mark.usefixtures("connected")
def test_a_task_that_goes_on_leaves_nothing_where_there_is_no_connection(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    use(monkeypatch, tmp_path)
    monkeypatch.delenv("AIRFLOW_CONN_RYFT_DEFAULT", raising=False)
    caplog.set_level("INFO")
    task_report.start_report(instance())
    SqliteHook("lite").run("SELECT 1")
    task_report.flush_report()
    assert "no connection 'ryft_default'" in caplog.text
    assert queries(tmp_path / "outbox", "ready") == 0


@pytest.mark.usefixtures("connected")
def test_the_next_task_in_the_same_process_is_another_report(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """So runs ``dag.test()``, which in 2.11 does not report skips."""
    use(monkeypatch, tmp_path)
    caplog.set_level("INFO")
    for number in range(3):
        task_report.start_report(instance(map_index=number))
        SqliteHook("lite").run(f"SELECT {number}")
    task_report.finish_report(instance(map_index=2), None)
    tags = [next(tag for tag in record["tags"] if "map_index" in tag) for record in sandbox.records()]
    assert sorted(tags) == ["map_index:0", "map_index:1", "map_index:2"]
    assert caplog.messages[-1] == "Ryft: 1 SQL statement; 1 reported, and 2 of earlier tasks reported."


@pytest.mark.usefixtures("connected")
def test_what_is_excluded_is_not_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox) -> None:
    use(monkeypatch, tmp_path, exclude_connections=("li*",))
    task_report.start_report(instance())
    SqliteHook("lite").run("SELECT 1")
    task_report.finish_report(instance(), None)
    use(monkeypatch, tmp_path, exclude_dags=("etl",))
    task_report.start_report(instance())
    SqliteHook("lite").run("SELECT 2")
    task_report.finish_report(instance(), None)
    assert not sandbox.requests


@pytest.mark.usefixtures("connected")
def test_a_child_of_the_task_reports_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox) -> None:
    use(monkeypatch, tmp_path)
    task_report.start_report(instance())
    SqliteHook("lite").run("SELECT 1")
    child = os.fork()
    if child == 0:
        task_report.finish_report(instance(), None)
        task_report.flush_report()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert not sandbox.requests
    task_report.finish_report(instance(), None)
    assert len(sandbox.records()) == 1


@pytest.mark.usefixtures("connected")
def test_an_operator_that_the_table_knows_is_described_at_its_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox
) -> None:
    from airflow_provider_ryft.extractors import operators

    class Submit:
        dag_id = task_id = "x"
        dag = None
        statement = "INSERT INTO t SELECT 1"

    monkeypatch.setattr(operators, "OPERATOR_SPECS", dict(operators.OPERATOR_SPECS))
    operators.describe_operator(f"{Submit.__module__}.{Submit.__qualname__}", sql="statement", conn_type="trino")
    use(monkeypatch, tmp_path)
    task_report.start_report(instance(task=Submit()))
    task_report.finish_report(instance(task=Submit()), ValueError("it failed"))
    task_report.flush_report()  # where a failure is reported before the task's end, as in 2.11
    (record,) = sandbox.records()
    assert record["query"] == Submit.statement
    assert record["queryState"] == "FAILED"
    assert record["context"]["queryType"] == "INSERT"


@pytest.mark.usefixtures("connected")
def test_of_a_task_that_skipped_itself_only_what_the_engine_has_an_id_for_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox
) -> None:
    """It may have skipped itself before it ran anything."""
    from airflow_provider_ryft.extractors import operators

    class Submit:
        dag_id = task_id = "x"
        dag = None
        statement = "INSERT INTO t SELECT 1"
        job_id: str | None = None

    monkeypatch.setattr(operators, "OPERATOR_SPECS", dict(operators.OPERATOR_SPECS))
    operators.describe_operator(
        f"{Submit.__module__}.{Submit.__qualname__}", sql="statement", query_id="job_id", conn_type="trino"
    )
    use(monkeypatch, tmp_path)
    for job_id in (None, "j-1"):
        task = Submit()
        task_report.start_report(instance(task=task))
        task.job_id = job_id
        task_report.finish_report(instance(task=task), None, skipped=True)
    (record,) = sandbox.records()
    assert record["queryId"] == "j-1"
    assert "query_state:unknown" in record["tags"]


@pytest.mark.usefixtures("connected")
def test_an_operator_that_was_deferred_is_described_with_its_event(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox
) -> None:
    """2.11 forgets the event before it reports the end."""
    module = "airflow.providers.amazon.aws.operators.redshift_data"
    facts = {"__module__": module, "dag_id": "x", "task_id": "x", "dag": None, "sql": "SELECT 1"}
    task = type("RedshiftDataOperator", (), facts)()
    use(monkeypatch, tmp_path)
    event = {"status": "success", "statement_id": "s-1"}
    task_instance = instance(task=task, next_method="resume", next_kwargs={"event": event})
    task_report.start_report(task_instance)
    task_instance.next_method = task_instance.next_kwargs = None
    task_report.finish_report(task_instance, None)
    (record,) = sandbox.records()
    assert record["queryId"] == "s-1"
    assert "query_state:unknown" not in record["tags"]


@pytest.mark.usefixtures("connected")
def test_an_operator_is_not_described_before_its_outcome_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox
) -> None:
    """A deferred operator has submitted something; it is reported when the task is resumed and ends."""
    called = []
    monkeypatch.setattr(operators, "extract_statements", lambda *_a, **_k: called.append(1) or [])
    use(monkeypatch, tmp_path)
    task_report.start_report(instance())
    task_report.flush_report()
    assert called == []


@pytest.mark.usefixtures("connected")
def test_a_fault_while_an_operator_is_described_keeps_the_rest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox
) -> None:
    def fail(*_arguments: Any, **_options: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(operators, "extract_statements", fail)
    use(monkeypatch, tmp_path)
    task_report.start_report(instance())
    SqliteHook("lite").run("SELECT 1")
    task_report.finish_report(instance(), None)
    assert len(sandbox.records()) == 1


def test_without_a_connection_nothing_is_kept_and_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    outbox = use(monkeypatch, tmp_path)
    caplog.set_level(logging.INFO, "airflow_provider_ryft")
    task_report.start_report(instance())
    SqliteHook("lite").run(["SELECT 1", "SELECT 2"])
    task_report.finish_report(instance(), None)
    (line,) = lines(caplog)
    assert "2 statements are not reported, because there is no connection 'ryft_default'" in line
    assert [queries(outbox, place) for place in ("running", "ready", "dead")] == [0, 0, 0]


def test_a_connection_that_was_there_once_is_a_connection_that_cannot_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, counted: dict[str, int]
) -> None:
    """Airflow 3 says "not defined" also when its API server is down; nothing is lost then."""
    from airflow_provider_ryft.outbox.outbox import Outbox

    outbox = use(monkeypatch, tmp_path)
    Outbox(outbox).try_writing()
    Outbox(outbox).state.record_success(accepted=1)
    task_report.start_report(instance())
    SqliteHook("lite").run(["SELECT 1", "SELECT 2"])
    task_report.finish_report(instance(), None)
    assert queries(outbox, "ready") == 2
    assert counted == {"ryft.captured": 2, "ryft.kept": 2}


@pytest.mark.usefixtures("connected")
def test_a_connection_that_cannot_be_used_keeps_everything_and_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_RYFT_DEFAULT", json.dumps({"conn_type": "ryft", "password": "a token"}))
    outbox = use(monkeypatch, tmp_path)
    caplog.set_level(logging.INFO, "airflow_provider_ryft")
    task_report.start_report(instance())
    SqliteHook("lite").run("SELECT 1")
    task_report.finish_report(instance(), None)
    assert queries(outbox, "ready") == 1
    (line,) = lines(caplog)
    assert "1 kept in" in line
    assert "Connection 'ryft_default': The ingest token holds a character" in line
    assert "a token" not in line


@pytest.mark.usefixtures("connected")
def test_a_server_that_hangs_is_waited_for_only_so_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox
) -> None:
    """The task ends, and the next one delivers both."""
    use(monkeypatch, tmp_path, delivery_timeout=1.0)
    sandbox.faults.set(Fault(hang=True, times=1))
    for number in range(2):
        task_report.start_report(instance())
        SqliteHook("lite").run(f"SELECT {number}")
        task_report.finish_report(instance(), None)
    assert sorted(record["query"] for record in sandbox.records()) == ["SELECT 0", "SELECT 1"]


@pytest.mark.usefixtures("connected")
def test_a_delivery_that_never_returns_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import threading

    released = threading.Event()
    monkeypatch.setattr(delivery.TaskDelivery, "_client", lambda _self: released.wait())
    outbox = use(monkeypatch, tmp_path, delivery_timeout=0.2)
    caplog.set_level(logging.INFO, "airflow_provider_ryft")
    task_report.start_report(instance())
    SqliteHook("lite").run("SELECT 1")
    task_report.finish_report(instance(), None)
    (line,) = lines(caplog)
    assert "1 kept in" in line
    assert "time was up" in line
    assert queries(outbox, "running") == 1
    released.set()


@pytest.mark.usefixtures("connected")
def test_refused_statements_are_told_and_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: Sandbox, counted: dict[str, int]
) -> None:
    outbox = use(monkeypatch, tmp_path)
    sandbox.faults.set(Fault(refuse="poison"))
    task_report.start_report(instance())
    SqliteHook("lite").run(["SELECT 1", "SELECT 'poison'", "SELECT 3"])
    task_report.finish_report(instance(), None)
    assert len(sandbox.records()) == 2
    assert queries(outbox, "dead") == 1
    assert counted == {"ryft.captured": 3, "ryft.reported": 2, "ryft.refused": 1}


def test_with_delivery_to_the_outbox_a_task_asks_and_sends_nothing(tmp_path: Path) -> None:
    """Neither requests nor the connection nor a socket: another process sends."""
    code = f"""
import json, os, socket, sys
os.environ["AIRFLOW_CONN_LITE"] = json.dumps({{"conn_type": "sqlite", "host": {str(tmp_path / "lite.db")!r}}})
from types import SimpleNamespace
from airflow.providers.sqlite.hooks.sqlite import SqliteHook
from airflow_provider_ryft.listener import task_report
from airflow_provider_ryft.settings import Settings
from airflow_provider_ryft.outbox.outbox import Outbox
settings = Settings(outbox_path={str(tmp_path / "outbox")!r}, delivery="outbox")
task_report._settings = lambda: settings
task_report.runs_here = lambda task_instance: True
looked_up = []
from airflow.providers.common.compat.sdk import BaseHook
original = BaseHook.get_connection.__func__
BaseHook.get_connection = classmethod(lambda cls, conn_id: looked_up.append(conn_id) or original(cls, conn_id))
def no_socket(*arguments, **options):
    raise AssertionError("a socket")
socket.socket.connect = no_socket
SqliteHook("lite").run("SELECT 0")  # loads whatever other plugins import
before = set(sys.modules)
task = SimpleNamespace(dag_id="d", task_id="t", dag=None)
ti = SimpleNamespace(dag_id="d", task_id="t", run_id="r", try_number=1, map_index=-1, task=task)
task_report.start_report(ti)
SqliteHook("lite").run("SELECT 1")
task_report.finish_report(ti, None)
print("RESULT", json.dumps([
    Outbox(settings.outbox_path).stats().ready.queries,
    sorted(set(looked_up)),
    [name for name in ("requests", "airflow_provider_ryft.ingest.client") if name in set(sys.modules) - before],
]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
    )
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert json.loads(line.removeprefix("RESULT ")) == [1, ["lite"], []]
