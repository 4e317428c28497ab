"""Observing the hooks of engines that cannot run here: their own code and drivers, with the far end replaced."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")


class Cursor:
    """A cursor of a driver that answers each statement at once, and fails on ``bad``.

    :param log: gets each statement that reaches the engine
    :param error: makes the error of a bad statement
    :param ids: the attribute for the engine's ids, which are made from the number of the statement
    """

    description: ClassVar[Any] = [("n", 1, None, None, None, None, None)]
    rowcount = 1
    arraysize = 1
    connection = None

    def __init__(self, log: list[str], error: Callable[[str], Exception], ids: str | None = None) -> None:
        self._log = log
        self._error = error
        self._ids = ids
        if ids:
            setattr(self, ids, None)

    def execute(self, sql: str, *args: Any, **kwargs: Any) -> Cursor:
        self._log.append(sql)
        if "bad" in sql:
            raise self._error(sql)
        if self._ids:
            setattr(self, self._ids, f"id-{len(self._log)}")
        return self

    def executemany(self, sql: str | None, rows: Any) -> None:
        self.execute(sql or self._prepared)

    def prepare(self, sql: str) -> None:
        self._prepared = sql

    def fetchall(self) -> list[tuple[int]]:
        return [(1,)]

    def fetchone(self) -> tuple[int]:
        return (1,)

    def __iter__(self) -> Iterator[tuple[int]]:
        return iter([(1,)])

    def close(self) -> None:
        if self._ids:
            setattr(self, self._ids, None)

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()


class Connection:
    """A connection of a driver that hands out one kind of cursor."""

    autocommit_mode = False
    autocommit: Any = None
    autocommit_state = False

    def __init__(self, make_cursor: Callable[[], Any]) -> None:
        self._make_cursor = make_cursor

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        return self._make_cursor()

    def commit(self) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> Any:
        return self._make_cursor()

    def __exit__(self, *args: object) -> None: ...


# --- Snowflake: its own run() and its own _run_command()


@pytest.fixture
def snowflake(connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Any:
    connector = pytest.importorskip("snowflake.connector", reason="needs snowflake-connector-python")
    module = pytest.importorskip("airflow.providers.snowflake.hooks.snowflake", reason="needs the Snowflake provider")
    log: list[str] = []

    def error(sql: str) -> Exception:
        return connector.errors.ProgrammingError(msg="no such column", errno=904, sqlstate="42000", sfqid="id-failed")

    class SnowflakeConnection(Connection):
        def autocommit(self, on: bool) -> None: ...  # type: ignore[override]

    monkeypatch.setattr(connector, "connect", lambda **kwargs: SnowflakeConnection(lambda: Cursor(log, error, "sfqid")))
    hook = module.SnowflakeHook(
        connect(json.dumps({"conn_type": "snowflake", "login": "u", "password": "p", "extra": {"account": "a"}}))
    )
    hook.log_of_engine = log
    return hook


def test_snowflake(processor: Any, snowflake: Any) -> None:
    """Each statement has its own query id; the one that failed has that of its error, not of the one before."""
    snowflake.run("SELECT 1; SELECT 2", handler=lambda cursor: cursor.fetchall())
    with pytest.raises(Exception, match="no such column"):
        snowflake.run("SELECT 3; SELECT bad; SELECT 5")
    assert processor.outcomes == [
        ("SELECT 1;", "id-1", True),
        ("SELECT 2", "id-2", True),
        ("SELECT 3;", "id-3", True),
        ("SELECT bad;", "id-failed", False),
    ]
    assert snowflake.log_of_engine == processor.texts == processor.first_texts


def test_snowflake_blocks_and_records(processor: Any, snowflake: Any) -> None:
    """A block that is sent as a whole is one statement; so is what ``get_records`` asks."""
    snowflake.run("BEGIN; SELECT 1; COMMIT", split_statements=False)
    assert snowflake.get_records("SELECT 2") == [(1,)]
    assert [text for text, _, _ in processor.outcomes] == ["BEGIN; SELECT 1; COMMIT", "SELECT 2"]
    assert processor.ended[0].connection.conn_type == "snowflake"


# --- Databricks: its own run(), which wraps the driver's error


def test_databricks(processor: Any, connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The id of the statement that failed is reported, and the driver's own error."""
    driver = pytest.importorskip("databricks.sql", reason="needs databricks-sql-connector")
    module = pytest.importorskip(
        "airflow.providers.databricks.hooks.databricks_sql", reason="needs the Databricks provider"
    )
    log: list[str] = []
    monkeypatch.setattr(
        module.sql,
        "connect",
        lambda *args, **kwargs: Connection(lambda: Cursor(log, driver.exc.ServerOperationError, "query_id")),
    )
    definition = {"conn_type": "databricks", "host": "h", "password": "t", "extra": {"http_path": "/sql/1"}}
    hook = module.DatabricksSqlHook(connect(json.dumps(definition)))
    hook.run(["SELECT 1", "SELECT 2"])
    with pytest.raises(Exception, match="bad"):
        hook.run("SELECT bad")
    assert processor.outcomes == [("SELECT 1", "id-1", True), ("SELECT 2", "id-2", True), ("SELECT bad", None, False)]
    assert isinstance(processor.ended[-1].error, driver.exc.ServerOperationError)


# --- Exasol: its own run(), get_records() and get_first(), through the connection's execute()


@pytest.fixture
def exasol(connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Any:
    pyexasol = pytest.importorskip("pyexasol", reason="needs pyexasol")
    module = pytest.importorskip("airflow.providers.exasol.hooks.exasol", reason="needs the Exasol provider")
    log: list[str] = []

    class ExaStatement(Cursor):
        rowcount = staticmethod(lambda: 1)
        execution_time = 0
        sql = ""

        def columns(self) -> dict[str, Any]:
            return {"n": {}}

    ExaStatement.__module__ = "pyexasol.statement"

    class ExaConnection(Connection):
        last_stmt: Any = None
        login_info: ClassVar[Any] = {"releaseVersion": "8.31.0"}
        attr: ClassVar[Any] = {"autocommit": True}

        def execute(self, sql: str, parameters: Any = None) -> Any:
            self.last_stmt = ExaStatement(log, RuntimeError)
            self.last_stmt.sql = sql
            return self.last_stmt.execute(sql)

        def close(self) -> None:
            self.last_stmt = None

        def set_autocommit(self, on: bool) -> None: ...

        def export_to_pandas(self, sql: str, query_params: Any = None) -> str:
            self.execute(sql)
            return "a data frame"

        def export_to_file(self, dst: str, query_or_table: str, **kwargs: Any) -> None:
            self.execute(query_or_table)

    ExaConnection.__module__ = "pyexasol.connection"
    monkeypatch.setattr(pyexasol, "connect", lambda **kwargs: ExaConnection(lambda: None))
    hook = module.ExasolHook(connect(json.dumps({"conn_type": "exasol", "host": "h", "login": "u", "schema": "s"})))
    hook.log_of_engine = log
    return hook


def test_exasol_run(processor: Any, exasol: Any) -> None:
    """Each statement of a script is reported as it was executed, before the next one; of the rest nothing."""
    exasol.run("SELECT 1; SELECT 2", split_statements=True, handler=lambda statement: statement.fetchall())
    exasol.run(["SELECT 3", "SELECT 4"])
    exasol.run("SELECT 5;")
    with pytest.raises(RuntimeError) as raised:
        exasol.run("SELECT 6; SELECT bad; SELECT 8", split_statements=True)
    assert processor.texts == processor.first_texts == exasol.log_of_engine
    assert processor.texts[-1] == "SELECT bad;"
    assert [statement.error for statement in processor.ended] == [None] * 6 + [raised.value]
    assert {statement.server_version for statement in processor.ended} == {"8.31.0"}
    assert processor.ended[0].connection.host == "h"


def test_exasol_records(processor: Any, exasol: Any) -> None:
    """The other ways of running a statement are reported, too."""
    assert exasol.get_records("SELECT 1") == [(1,)]
    assert exasol.get_first("SELECT 2") == (1,)
    assert exasol.get_df("SELECT 3") == "a data frame"
    assert exasol.get_pandas_df("SELECT 4") == "a data frame"
    exasol.export_to_file("file", "SELECT 5")
    for call in (exasol.get_records, exasol.get_df):
        with pytest.raises(RuntimeError):
            call("SELECT bad")
    assert processor.texts == exasol.log_of_engine
    assert [statement.error is None for statement in processor.ended] == [True] * 5 + [False] * 2


def test_what_exasol_does_not_execute(processor: Any, exasol: Any) -> None:
    """A call that the hook refuses is no statement; nor does a handler's error or time belong to one."""

    def handler(statement: Any) -> None:
        statement.execution_time = 0.25
        if "3" in statement.sql:
            raise ValueError("of the task")

    with pytest.raises(TypeError, match="single statement"):
        exasol.get_records(["SELECT 1", "SELECT 2"])
    with pytest.raises(ValueError, match="of the task"):
        exasol.run(["SELECT 2", "SELECT 3", "SELECT 4"], handler=handler)
    with pytest.raises(ValueError, match="of the task"):
        exasol.run("SELECT 3", handler=handler)
    assert processor.texts == exasol.log_of_engine == ["SELECT 2", "SELECT 3", "SELECT 3"]
    assert [statement.error for statement in processor.ended] == [None, None, None]
    assert [statement.duration_ms for statement in processor.ended] == [250.0, 250.0, 250.0]


# --- Vertica: run() swaps a handler that must be the very one it knows


def test_vertica(processor: Any, connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook still knows its handler, and the statement is reported with the version that the driver holds."""
    pytest.importorskip("vertica_python", reason="needs vertica-python")
    module = pytest.importorskip("airflow.providers.vertica.hooks.vertica", reason="needs the Vertica provider")
    log: list[str] = []

    class VerticaCursor(Cursor):
        def nextset(self) -> bool:
            return False

    class VerticaConnection(Connection):
        parameters: ClassVar[Any] = {"server_version": "v24.1.0"}

    VerticaConnection.__module__ = "vertica_python.vertica.connection"
    connection = VerticaConnection(lambda: VerticaCursor(log, RuntimeError))
    VerticaCursor.connection = connection  # type: ignore[assignment]
    monkeypatch.setattr(module, "connect", lambda **kwargs: connection)
    hook = module.VerticaHook(connect("vertica://u:p@h/d"))
    assert hook.get_records("SELECT 1") == [(1,)]
    with pytest.raises(RuntimeError):
        hook.run(["SELECT 2", "SELECT bad"])
    assert processor.texts == log == ["SELECT 1", "SELECT 2", "SELECT bad"]
    assert processor.ended[0].server_version == "v24.1.0"


# --- Hive: a loop of its own, in a generator


@pytest.fixture
def hive(connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Any:
    pyhive = pytest.importorskip("pyhive.hive", reason="needs pyhive")
    module = pytest.importorskip("airflow.providers.apache.hive.hooks.hive", reason="needs the Hive provider")
    log: list[str] = []
    monkeypatch.setattr(pyhive, "connect", lambda **kwargs: Connection(lambda: Cursor(log, RuntimeError)))
    monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", "dag")
    hook = module.HiveServer2Hook(connect("hiveserver2://h:10000/d"))
    hook.log_of_engine = log
    return hook


def test_hive_reports_the_schema_that_it_was_given(processor: Any, hive: Any) -> None:
    """Which is Hive's default where it was given none, whatever the connection says."""
    hive.get_records("SELECT 1")
    hive.get_records("SELECT 2", schema="other")
    hive.run("SELECT 3")
    assert [statement.schema for statement in processor.ended] == ["default", "other", None]


def test_hive(processor: Any, hive: Any, tmp_path: Any) -> None:
    """Statements are reported, without the variables that the hook sets by itself."""
    assert hive.get_records("SELECT 1") == [(1,)]
    assert hive.get_results(["CREATE TABLE t (n INT)", "SELECT 2"])["data"] == [(1,)]
    hive.to_csv("SELECT 3", str(tmp_path / "file.csv"))
    if pytest.importorskip("pandas"):
        assert len(hive.get_df("SELECT 4")) == 1
    with pytest.raises(RuntimeError) as raised:
        hive.get_results(["SELECT 5", "SELECT bad", "SELECT 7"])
    assert processor.texts == [text for text in hive.log_of_engine if not text.startswith("set ")]
    assert [statement.error for statement in processor.ended] == [None] * 6 + [raised.value]


def test_hive_reports_what_ran_and_for_how_long(processor: Any, hive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fetch that fails or takes long is that of the statement before, whatever would have come next."""
    assert hive.get_results("SELECT 0")["data"] == [(1,)]  # imports what it needs
    slow = iter([0.0, 0.4])

    def rows(cursor: Any) -> Iterator[Any]:
        yield (1,)
        time.sleep(next(slow))
        yield (2,)

    monkeypatch.setattr(Cursor, "__iter__", rows)
    assert hive.get_results(["SELECT 1", "SELECT 2"])["data"] == [(1,), (2,)] * 2
    slow = iter([0.4])
    with pytest.raises(RuntimeError) as bad:
        hive.get_results(["SELECT 3", "SELECT bad", "SELECT 5"])
    slow = iter([])
    with pytest.raises(RuntimeError) as raised:
        hive.get_results(["SELECT 6", "SELECT 7"])
    assert [(statement.text, statement.error) for statement in processor.ended] == [
        ("SELECT 0", None),
        ("SELECT 1", None),
        ("SELECT 2", None),
        ("SELECT 3", None),
        ("SELECT bad", bad.value),
        ("SELECT 6", raised.value),
    ]
    assert len(processor.began) == 6
    assert all(statement.duration_ms < 300 for statement in processor.ended)


# --- Spanner: reports to hook lineage when all is over, and has no connection


def test_spanner(processor: Any, connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each statement is reported once, and the one that failed with its error."""
    module = pytest.importorskip("airflow.providers.google.cloud.hooks.spanner", reason="needs the Google provider")
    log: list[str] = []

    def execute_update(sql: str) -> int:
        log.append(sql)
        if "bad" in sql:
            raise RuntimeError(sql)
        return 1

    database = SimpleNamespace(run_in_transaction=lambda run: run(SimpleNamespace(execute_update=execute_update)))
    instance = SimpleNamespace(database=lambda **names: database)
    client = SimpleNamespace(instance=lambda **names: instance)
    monkeypatch.setattr(module.SpannerHook, "_get_client", lambda self, **names: client)
    monkeypatch.setattr(module.SpannerHook, "get_credentials_and_project_id", lambda self: (None, "p"))
    hook = module.SpannerHook(connect("google-cloud-platform://"))
    names = {"project_id": "p", "instance_id": "i", "database_id": "d"}
    hook.execute_dml(**names, queries=["INSERT 1"])
    hook.execute_dml(**names, queries=["INSERT 2", "UPDATE 3"])
    with pytest.raises(RuntimeError) as raised:
        hook.execute_dml(**names, queries=["INSERT 4", "UPDATE bad", "UPDATE 6"])
    monkeypatch.setattr(module.SpannerHook, "_get_client", lambda self, **names: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        hook.execute_dml(**names, queries=["INSERT 7"])
    assert processor.texts == processor.first_texts == ["INSERT 1", "INSERT 2", "UPDATE 3", "UPDATE bad"]
    assert [statement.error for statement in processor.ended] == [None, None, None, raised.value]


# --- BigQuery: a cursor that calls its hook again


@pytest.fixture
def bigquery(connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Any:
    module = pytest.importorskip("airflow.providers.google.cloud.hooks.bigquery", reason="needs the Google provider")
    log: list[str] = []

    class QueryJob(module.QueryJob):
        def result(self, *args: Any, **kwargs: Any) -> Any:
            log.append(self.query)
            if "bad" in self.query:
                raise RuntimeError(self.query)
            return iter([(1,)])

        def _begin(self, *args: Any, **kwargs: Any) -> None:
            log.append(self.query)

    monkeypatch.setattr(module, "QueryJob", QueryJob)
    monkeypatch.setattr(module.BigQueryHook, "get_credentials_and_project_id", lambda self: (None, "project"))
    monkeypatch.setattr(
        module.BigQueryHook,
        "get_client",
        lambda self, **kwargs: SimpleNamespace(
            project="project", location="EU", _connection=None, default_query_job_config=None
        ),
    )
    monkeypatch.setattr(module, "build", lambda *args, **kwargs: None)
    monkeypatch.setattr(module.BigQueryHook, "_authorize", lambda self: None)
    monkeypatch.setattr(module.BigQueryHook, "get_client_options", lambda self: None)
    monkeypatch.setattr(module.BigQueryCursor, "_get_query_result", lambda self: {})
    monkeypatch.setattr(module.BigQueryCursor, "fetchall", lambda self: [(1,)])
    hook = module.BigQueryHook(
        gcp_conn_id=connect("google-cloud-platform://"),
        use_legacy_sql=False,
        location="EU",
        priority="INTERACTIVE",
        api_resource_configs={},
        labels={},
    )
    hook.log_of_engine = log
    hook.module = module
    return hook


def test_bigquery_runs_a_job_once(processor: Any, bigquery: Any) -> None:
    """``run`` reports to hook lineage twice, and is one statement with the job's id."""
    bigquery.run("SELECT 1")
    assert bigquery.get_records("SELECT 2") == [(1,)]
    with pytest.raises(RuntimeError):
        bigquery.run("SELECT bad")
    assert processor.texts == bigquery.log_of_engine == ["SELECT 1", "SELECT 2", "SELECT bad"]
    assert all(statement.engine_id.startswith("airflow_") for statement in processor.ended[:2])
    assert len({statement.engine_id for statement in processor.ended}) == 3


def test_bigquery_jobs(processor: Any, bigquery: Any) -> None:
    """A job that is waited for is a statement; one that is only submitted is the operator's, which knows its end."""
    configuration = {"query": {"query": "SELECT 1", "useLegacySql": False}}
    bigquery.insert_job(configuration=configuration, job_id="mine", project_id="project", location="EU")
    bigquery.insert_job(configuration=configuration, job_id="async", project_id="project", location="EU", nowait=True)
    configuration["query"]["query"] = "SELECT bad"
    with pytest.raises(RuntimeError):
        bigquery.insert_job(configuration=configuration, job_id="failed", project_id="project", location="EU")
    assert [(text, succeeded) for text, _, succeeded in processor.outcomes] == [
        ("SELECT 1", True),
        ("SELECT bad", False),
    ]
    assert processor.ended[0].engine_id == "mine"


def test_bigquery_get_df(processor: Any, bigquery: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data frame through pandas-gbq is one statement, reported before it runs."""
    asked: list[str] = []

    def read_gbq(sql: str, **kwargs: Any) -> str:
        asked.append(sql)
        assert processor.first_texts == asked
        if "bad" in sql:
            raise RuntimeError(sql)
        return "a data frame"

    monkeypatch.setattr(bigquery.module, "read_gbq", read_gbq)
    assert bigquery.get_df("SELECT 1") == "a data frame"
    with pytest.raises(RuntimeError) as raised:
        bigquery.get_df("SELECT bad")
    assert processor.texts == asked
    assert [statement.error for statement in processor.ended] == [None, raised.value]


# --- Oracle: writes the values of a row into the statement


def test_oracle_rows(processor: Any, connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Inserted rows are one record, without their values, whether it succeeds or not."""
    oracledb = pytest.importorskip("oracledb", reason="needs oracledb")
    module = pytest.importorskip("airflow.providers.oracle.hooks.oracle", reason="needs the Oracle provider")
    log: list[str] = []
    monkeypatch.setattr(oracledb, "connect", lambda **kwargs: Connection(lambda: Cursor(log, RuntimeError)))
    monkeypatch.setattr(module.oracledb, "connect", oracledb.connect)
    hook = module.OracleHook(connect("oracle://u:p@h:1521/s"))
    hook.insert_rows("t", [(1, "secret one"), (2, "secret two")], ["n", "s"])
    hook.bulk_insert_rows("t", [(1, "secret one"), (2, "secret two")], ["n", "s"], commit_every=1)
    with pytest.raises(RuntimeError):
        hook.insert_rows("t", [(3, "bad secret")], ["n", "s"])
    assert len(log) == 5
    assert len(processor.texts) == 3
    for text in processor.texts:
        assert "secret" not in text
        assert "into t (n, s)" in text.lower().replace("  ", " ")
    assert [statement.error is None for statement in processor.ended] == [True, True, False]


# --- SQL Server, Oracle and Teradata: common.sql's way of running, with constructors and connections of their own


@pytest.mark.parametrize(
    ("path", "driver"),
    [
        ("airflow.providers.microsoft.mssql.hooks.mssql.MsSqlHook", "pymssql"),
        ("airflow.providers.oracle.hooks.oracle.OracleHook", "oracledb"),
        ("airflow.providers.teradata.hooks.teradata.TeradataHook", "teradatasql"),
    ],
)
def test_hooks_that_run_as_common_sql_does(
    path: str, driver: str, processor: Any, connect: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each execution is one record with the text that reached the driver, the failing one with its error."""
    module_name, _, class_name = path.rpartition(".")
    module = pytest.importorskip(module_name)
    library = pytest.importorskip(driver)
    log: list[str] = []
    connection = Connection(lambda: Cursor(log, RuntimeError))
    if driver == "pymssql":
        connection.autocommit = lambda _is_on: None
    monkeypatch.setattr(library, "connect", lambda *_args, **_kwargs: connection)
    hook = getattr(module, class_name)(connect(f"{driver}://u:p@h:1/s"))
    hook.run(["INSERT 1", "INSERT 2"], autocommit=True)
    assert hook.get_first("SELECT 3")
    with pytest.raises(RuntimeError) as raised:
        hook.run("SELECT 4; SELECT bad; SELECT 5", split_statements=True)
    log = [sql for sql in log if not sql.startswith("SET QUERY_BAND")]  # how Teradata's hook connects
    assert processor.texts == log
    assert [text.rstrip(";") for text in log] == ["INSERT 1", "INSERT 2", "SELECT 3", "SELECT 4", "SELECT bad"]
    assert [statement.error for statement in processor.ended] == [None] * 4 + [raised.value]
