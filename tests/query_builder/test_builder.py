"""Statements as queries: what is told of task, connection and outcome, and what never leaves."""

from __future__ import annotations

import gc
import json
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies as st

from airflow_provider_ryft import __version__
from airflow_provider_ryft.capture.statement import DeclaredConnection, Statement
from airflow_provider_ryft.ingest.query import ErrorType, FailureInfo, Query, QueryState, QueryType
from airflow_provider_ryft.query_builder import failure_message, statement_text, templates
from airflow_provider_ryft.query_builder.builder import QueryBuilder
from airflow_provider_ryft.query_builder.statement_text import WITHHELD
from airflow_provider_ryft.query_builder.task_facts import TaskFacts
from airflow_provider_ryft.query_builder.templates import SOURCE
from airflow_provider_ryft.redaction import known_secrets
from airflow_provider_ryft.settings import Settings
from support.masker import SECRET

pytestmark = pytest.mark.usefixtures("mask_secret")

NOON = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)
FACTS = TaskFacts(
    dag_id="etl",
    task_id="load",
    run_id="manual__1",
    try_number=2,
    operator="SQLExecuteQueryOperator",
    owner="data",
    dag_tags=("a", "nightly"),
)


@pytest.fixture
def broken_masker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Break Airflow's masker."""

    def fail(_text: str) -> str:
        raise RuntimeError("broken")

    monkeypatch.setattr(known_secrets.KnownSecrets, "masks", [fail])


def stated(text: str = "SELECT 1", **fields: Any) -> Statement:
    fields.setdefault("query_id", "q-1")
    fields.setdefault("started_at", NOON)
    fields.setdefault("duration_ms", 12.5)
    return Statement(text=text, **fields)


def connection(conn_type: str = "trino", **parts: Any) -> Any:
    from airflow.providers.common.compat.sdk import Connection

    return Connection(conn_id="lake", conn_type=conn_type, **parts)


class Decoding(QueryBuilder):
    """Describes statements, and reads what was written of them."""

    def query(self, statement: Statement) -> Query:
        return Query.from_payload(json.loads(self.build_finished(statement)))

    def interrupted(self, statement: Statement) -> Query:
        return Query.from_payload(json.loads(self.build_interrupted(statement)))


def describer(facts: TaskFacts = FACTS, **options: Any) -> Decoding:
    return Decoding(Settings(**options), facts)


def everything(query: Query) -> str:
    return query.encode().decode()


class Refused(Exception):
    """What a driver may raise."""


# --- the whole


def test_a_finished_statement() -> None:
    """Every part of the payload is where the API wants it."""
    query = describer(tags=("env:prod",)).query(
        stated(
            "INSERT INTO t SELECT 1",
            conn_id="lake",
            connection=connection(login="bob", schema="gold", extra='{"catalog": "iceberg"}'),
            engine_id="20260310_1",
            server_version="480",
        )
    )
    airflow_version = sys.modules["airflow"].__version__
    assert query.to_payload() == {
        "context": {
            "catalog": "iceberg",
            "schema": "gold",
            "queryType": "INSERT",
            "serverVersion": "480",
            "user": "bob",
            "userAgent": f"airflow-provider-ryft/{__version__} apache-airflow/{airflow_version}",
        },
        "queryId": "20260310_1",
        "query": "INSERT INTO t SELECT 1",
        "queryState": "FINISHED",
        "timestamp": "2026-03-10T12:00:00.000Z",
        "duration_ms": 12.5,
        "tags": [
            "source:airflow",
            "dag_id:etl",
            "task_id:load",
            "run_id:manual__1",
            "try_number:2",
            "operator:SQLExecuteQueryOperator",
            "owner:data",
            "dag_tag:a",
            "dag_tag:nightly",
            "env:prod",
            "conn_id:lake",
            "conn_type:trino",
        ],
    }


def test_a_failed_statement() -> None:
    """The failure is the statement's, and the engine's id is kept where it has one."""
    query = describer().query(stated(error=Refused("no such table"), engine_id="01a"))
    assert query.query_state is QueryState.FAILED
    assert query.query_id == "01a"
    failure: Any = query.failure_info
    assert (failure.error_type, failure.failure_message) == (ErrorType.USER_ERROR, "no such table")
    assert failure.failure_type.endswith(".Refused")


def test_a_statement_that_runs_when_its_process_dies() -> None:
    """What is reported then is a failure that nobody can blame the statement for."""
    query = describer().interrupted(stated(duration_ms=None))
    assert query.query_state is QueryState.FAILED
    assert query.query_id == "q-1"
    failure: Any = query.failure_info
    assert (failure.error_type, failure.error_name) == (ErrorType.EXTERNAL, "TASK_INTERRUPTED")
    assert "duration:unknown" in query.tags
    assert query.duration_ms > 0  # since noon


def test_a_duration_that_is_not_known_is_estimated() -> None:
    """It is never zero: the time since the statement started, and the query says so."""
    query = describer().query(stated(started_at=datetime.now(timezone.utc) - timedelta(hours=1), duration_ms=None))
    assert query.duration_ms >= 3_600_000
    assert "duration:estimated" in query.tags
    assert "duration:estimated" not in describer().query(stated()).tags
    ahead = datetime.now(timezone.utc) + timedelta(hours=1)
    assert describer().query(stated(started_at=ahead, duration_ms=None)).duration_ms == 0


def test_an_end_that_nobody_saw_is_told() -> None:
    """The state is a guess then, whichever it is."""
    for error, state in ((None, QueryState.FINISHED), (Refused("no"), QueryState.FAILED)):
        query = describer().query(stated(error=error, outcome_known=False))
        assert query.query_state is state
        assert "query_state:unknown" in query.tags
    assert "query_state:unknown" not in describer().query(stated()).tags


def test_an_operators_statement() -> None:
    """What an operator says of its connection is told as if it was one."""
    query = describer(contexts={"athena": {"catalog": "lake"}}).query(
        stated(
            conn_id="aws", connection=DeclaredConnection(conn_type="athena", catalog="AwsDataCatalog", schema="gold")
        )
    )
    assert (query.context.catalog, query.context.schema) == ("lake", "gold")
    assert query.tags[-2:] == ("conn_id:aws", "conn_type:athena")


def test_contexts_by_id_go_before_those_by_type() -> None:
    """The name that Ryft knows a catalog by is given in the options."""
    contexts = {"trino": {"catalog": "by-type", "user": None}, "lake": {"catalog": "by-id"}}
    query = describer(contexts=contexts).query(
        stated(conn_id="lake", connection=connection(login="bob", schema="gold"))
    )
    assert (query.context.catalog, query.context.schema, query.context.user) == ("by-id", "gold", None)


def test_a_statement_may_name_its_schema() -> None:
    """A hook that was told another schema for one statement is reported with that one; ``contexts`` goes before it."""
    held, hook = connection("hiveserver2", schema="sales"), SimpleNamespace()
    describes = describer()
    for schema, expected in (("other", "other"), (None, "sales"), ("third", "third"), (" ", "sales")) * 2:
        statement = stated(conn_id="hive", connection=held, hook=hook, schema=schema)
        assert describes.query(statement).context.schema == expected
        assert describes.interrupted(statement).context.schema == expected
    statement = stated(conn_id="hive", connection=held, schema="other")
    assert describer(contexts={"hive": {"schema": "lake"}}).query(statement).context.schema == "lake"


def test_a_schema_that_is_named_late_is_told() -> None:
    """What was worked out at the beginning does not hold then."""
    describes, statement = describer(), stated(connection=connection("hiveserver2", schema="sales"))
    assert describes.interrupted(statement).context.schema == "sales"
    statement.schema = "other"
    assert describes.query(statement).context.schema == "other"


def test_contexts_need_no_connection() -> None:
    """A statement whose connection nobody held is placed by its connection's id."""
    query = describer(contexts={"lake": {"catalog": "iceberg"}}).query(stated(conn_id="lake"))
    assert query.context.catalog == "iceberg"
    assert "conn_id:lake" in query.tags


def test_the_query_type_is_the_statements() -> None:
    """It is read from what was executed, whatever is masked of it."""
    query = describer(mask_literals=True).query(
        stated(f"MERGE INTO t USING s ON t.x = '{SECRET}' WHEN MATCHED THEN DELETE")
    )
    assert query.context.query_type is QueryType.MERGE
    assert query.query == "MERGE INTO t USING s ON t.x = ? WHEN MATCHED THEN DELETE"


# --- what the task is


def test_facts_of_a_mapped_task() -> None:
    """A mapped task's position is told; that of another is not."""
    assert "map_index:0" in TaskFacts(map_index=0).tags()
    assert not any(tag.startswith("map_index") for tag in TaskFacts().tags())


def test_facts_of_a_real_task_instance() -> None:
    """What is read is what a task instance has, in this Airflow."""
    try:
        from airflow.sdk import DAG
    except ImportError:
        from airflow import DAG
    from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

    with DAG("etl", schedule=None, start_date=NOON, tags=["nightly", "a"], default_args={"owner": "data"}) as dag:
        task = SQLExecuteQueryOperator(task_id="load", sql="select", conn_id="lake")
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        instance = RuntimeTaskInstance.model_construct(
            task=task, dag_id="etl", task_id="load", run_id="manual__1", try_number=2, map_index=-1
        )
    except ImportError:
        from airflow.models.taskinstance import TaskInstance

        instance = TaskInstance(task, run_id="manual__1")
        instance.try_number = 2
    assert dag.has_task("load")
    assert TaskFacts.of(instance) == FACTS


@pytest.mark.parametrize("odd", [None, object(), SimpleNamespace(task=None, map_index="x", try_number=True)])
def test_facts_of_anything(odd: Any) -> None:
    """What is not there is not told."""
    assert TaskFacts.of(odd) == TaskFacts()


def test_facts_that_cannot_be_read_are_left_out() -> None:
    """A property that fails takes nothing else with it."""

    class Task:
        task_type = "Mine"
        owner = ("not", "text")
        dag = SimpleNamespace(tags={"b", "a", None, 7})

        @property
        def operator_name(self) -> str:
            raise RuntimeError("no")

    facts = TaskFacts.of(SimpleNamespace(task=Task(), dag_id="etl", try_number=1))
    assert facts == TaskFacts(dag_id="etl", try_number=1, operator="Mine", dag_tags=("7", "a", "b"))


# --- secrets


def test_no_known_secret_leaves(mask_secret: Callable[[str], None]) -> None:
    """Not in the text, the failure, a tag, or the context; also not one that Airflow learns while the task runs."""
    facts = TaskFacts(dag_id=f"d-{SECRET}", run_id="r-late-secret", owner=SECRET, dag_tags=(SECRET,))
    describes = describer(facts, tags=(f"t:{SECRET}",), contexts={"lake": {"catalog": f"c-{SECRET}"}})
    held = connection(login="late-secret", schema=SECRET)
    statement = stated(
        f"COPY t '{SECRET}'", conn_id="lake", connection=held, error=Refused(f"near {SECRET} late-secret")
    )
    before = everything(describes.query(statement))
    assert SECRET not in before
    assert "late-secret" in before
    mask_secret("late-secret")
    for query in (describes.query(statement), describes.interrupted(statement)):
        assert SECRET not in everything(query)
        assert "late-secret" not in everything(query)
        assert "dag_id:d-***" in query.tags
        assert query.context.catalog == "c-***"
        assert query.query == "COPY t '***'"


def test_the_source_is_no_secret(mask_secret: Callable[[str], None]) -> None:
    """A password that is a common word does not take the tag away by which our queries are found."""
    mask_secret("airflow")
    assert describer().query(stated()).tags[0] == SOURCE


@pytest.mark.usefixtures("broken_masker")
def test_what_cannot_be_checked_is_withheld(caplog: pytest.LogCaptureFixture) -> None:
    """If the masker fails the statement is reported without its words, and that is counted."""
    describes = describer()
    with caplog.at_level("DEBUG"):
        query = describes.query(stated("SELECT 'private'", conn_id="lake", error=Refused("private")))
    assert query.query == WITHHELD
    assert "private" not in everything(query) + caplog.text
    assert "lake" not in everything(query)
    assert query.tags == (SOURCE, "tags:withheld", "query_text:withheld")
    assert query.query_state is QueryState.FAILED
    assert query.context.query_type is QueryType.SELECT
    assert describes.omitted_parts == {"text": 1, "tags and context": 1, "failure message": 1}


def test_a_separator_in_a_secret_does_not_shift_the_tags(mask_secret: Callable[[str], None]) -> None:
    """Tags stay where they are even if a secret spans what is put between them."""
    mask_secret("load\0run_id:manual")
    assert describer().query(stated()).tags[:4] == (SOURCE, "dag_id:etl", "task_id:load", "run_id:manual__1")


# --- literals


def test_literals_are_masked_on_request() -> None:
    """The option takes every literal out of the text, and the comments."""
    text = f"SELECT * FROM t WHERE s = 'private' AND n = 42 AND k = '{SECRET}' -- private"
    assert describer().query(stated(text)).query == text.replace(SECRET, "***")
    query = describer(mask_literals=True).query(stated(text))
    assert query.query.strip() == "SELECT * FROM t WHERE s = ? AND n = ? AND k = ?"


def test_literals_are_masked_in_the_connections_dialect() -> None:
    """A backslash means what it means to the engine."""
    text = r"SELECT 'C:\', 'private' FROM t"
    query = describer(mask_literals=True).query(stated(text, connection=connection("postgres")))
    assert query.query == "SELECT ?, ? FROM t"
    query = describer(mask_literals=True).query(
        stated(r"SELECT 'it\'s private' FROM t", connection=connection("mysql"))
    )
    assert query.query == "SELECT ? FROM t"


def test_a_secret_that_hides_a_quote_hides_the_text(mask_secret: Callable[[str], None]) -> None:
    """Without the quote that a secret took with it, code and literals cannot be told apart."""
    mask_secret("x'y-secret")
    describes = describer(mask_literals=True)
    query = describes.query(stated("SELECT x'y-secret', 'private'"))
    assert query.query == WITHHELD
    assert describes.omitted_parts == {"text": 1}
    assert describer().query(stated("SELECT x'y-secret', 'private'")).query == "SELECT ***', 'private'"


def test_a_scanner_that_fails_withholds_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Literals that cannot be masked do not leave; a type that cannot be read is left out."""

    def fail(*_: Any) -> None:
        raise RecursionError

    monkeypatch.setattr("airflow_provider_ryft.sql.masking.mask_literals", fail)
    monkeypatch.setattr(statement_text, "query_type", fail)
    describes = describer(mask_literals=True)
    query = describes.query(stated("SELECT 'private'"))
    assert query.query == WITHHELD
    assert query.context.query_type is None
    assert describes.omitted_parts == {"text": 1, "query type": 1}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Error running SELECT * FROM t WHERE s = 'private': no", "Error running (the statement): no"),
        ("near 's = 'private'' at line 1", "near …"),
        ("Duplicate entry 'private' for key 'k'", "Duplicate entry …"),
        ("no such table: t", "no such table: t"),
        ("first\nDETAIL: private", "first"),
    ],
)
def test_what_a_failure_quotes_is_masked_with_the_literals(message: str, expected: str) -> None:
    """With the option, a message tells nothing that the text does not."""
    statement = stated("SELECT * FROM t WHERE s = 'private'", error=Refused(message))
    failure: Any = describer(mask_literals=True).query(statement).failure_info
    assert failure.failure_message == expected


@pytest.mark.parametrize(
    ("conn_type", "text", "message", "expected"),
    [
        ("duckdb", "SELECT error('sekret customer 4711')", "Invalid Input Error: sekret customer 4711", None),
        ("postgres", "DO $$ BEGIN PERFORM f('sekret'); END $$", "sekret", "?"),
        ("mysql", "CALL f('sekret bob')", "Nobody is called sekret bob here", "Nobody is called ? here"),
        ("gcpbigquery", "SELECT CAST('sekret' AS INT64)", "Bad int64 value: sekret", "Bad int64 value: …"),
        ("oracle", "ALTER USER x IDENTIFIED BY sekret", "sekret is too short", "? is too short"),
        ("trino", "SELECT a FROM t -- sekret", "sekret", "?"),
        (None, "SELECT `sekret` FROM t", "no sekret", "no sekret"),
    ],
)
def test_what_a_failure_repeats_without_quotes_is_masked(
    conn_type: str | None, text: str, message: str, expected: str | None
) -> None:
    """Engines say what functions such as ``error()`` were given as it is."""
    held = conn_type and connection(conn_type)
    failure: Any = (
        describer(mask_literals=True).query(stated(text, connection=held, error=Refused(message))).failure_info
    )
    assert failure.failure_message == (expected or "Invalid Input Error: ?")
    unmasked: Any = describer().query(stated(text, connection=held, error=Refused(message))).failure_info
    assert unmasked.failure_message == message


def raised(module: str, name: str, *args: object, **attributes: object) -> BaseException:
    error: BaseException = type(name, (Exception,), {"__module__": module})(*args)
    vars(error).update(attributes)
    return error


@pytest.mark.parametrize(
    "error",
    [
        raised(
            "psycopg.errors",
            "RaiseException",
            "row of bob",
            sqlstate="P0001",
            diag=SimpleNamespace(message_primary="row of bob"),
        ),
        raised("redshift_connector.error", "ProgrammingError", {"C": "P0001", "M": "row of bob"}),
        raised("pymysql.err", "OperationalError", 1644, "row of bob"),
        raised("pyodbc", "Error", "45000", "row of bob"),
        raised(
            "oracledb.exceptions",
            "DatabaseError",
            SimpleNamespace(code=20001, full_code="ORA-20001", message="row of bob"),
        ),
        raised("pymssql.exceptions", "OperationalError", 50001, b"row of bob"),
        raised("databricks.sql.exc", "ServerOperationError", "[USER_RAISED_EXCEPTION] row of bob SQLSTATE: P0001"),
        raised("clickhouse_driver.errors", "ServerException", code=395, message="row of bob"),
        raised(
            "trino.exceptions",
            "TrinoUserError",
            error_type="USER_ERROR",
            error_code=0,
            error_name="GENERIC_USER_ERROR",
            message="row of bob",
        ),
    ],
)
def test_what_sql_code_says_itself_is_withheld_with_the_literals(error: BaseException) -> None:
    """An exception that SQL code raised says what it likes, rows of a table included."""
    failure: Any = describer(mask_literals=True).query(stated("CALL check_rows()", error=error)).failure_info
    assert failure.failure_message == failure_message.RAISED_BY_SQL
    failure = describer().query(stated("CALL check_rows()", error=error)).failure_info
    assert "row of bob" in failure.failure_message


@pytest.mark.parametrize("text", ["SELECT 1 " + "-- x" * 300 + "\n'sekret'", None])
def test_a_message_that_cannot_be_compared_is_withheld(text: Any) -> None:
    """The literals of a text that is cut are not known."""
    describes = describer(mask_literals=True, max_query_length=1_000)
    failure: Any = describes.query(stated(text, error=Refused("no sekret"))).failure_info
    assert failure.failure_message == WITHHELD


def test_a_failure_quotes_no_piece_of_a_secret() -> None:
    """An engine cuts what it quotes where it likes, also in the middle of a secret that the masker knows whole."""
    statement = stated(f"COPY t KEY '{SECRET}'", error=Refused(f"syntax error near 'KEY '{SECRET[:9]}'"))
    failure: Any = describer().query(statement).failure_info
    assert failure.failure_message == "syntax error near …"


# --- sizes


@pytest.mark.parametrize("extra", [0, 1, 70_000, 500_000])
@pytest.mark.parametrize("masking", [False, True])
def test_gigantic_texts_are_cut(extra: int, masking: bool) -> None:
    """A text is as long as it may be; one that is longer is cut at a mark that says so, and tagged."""
    text = "SELECT '".ljust(1_000 + extra, "x")
    query = describer(max_query_length=1_000, mask_literals=masking).query(stated(text))
    assert len(query.query) <= 1_000
    assert ("query_text:truncated" in query.tags) == (extra > 0)
    if extra:
        assert query.query.endswith(f"it has {1_000 + extra} characters, 1000 are allowed */")
    else:
        assert "cut off" not in query.query
    assert ("xxx" in query.query) is not masking


CUT = 1_000
LONG_LIST = "1, " * CUT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"SELECT {LONG_LIST} 1", QueryType.SELECT),
        (f"SELECT {LONG_LIST} 1 ;\n", QueryType.SELECT),
        (f"SELECT {LONG_LIST} 1; DELETE FROM t", None),
        (f"SELECT 1; SELECT {LONG_LIST} 1", None),
        (f"SELECT {LONG_LIST} 1 INTO t", None),
        (f"BEGIN; SELECT {LONG_LIST} 1; DROP TABLE t", None),
        (f"DELETE FROM t WHERE a IN ({LONG_LIST} 1)", QueryType.DELETE),
        (f"DELETE FROM t WHERE a IN ({LONG_LIST} 1); MERGE INTO t USING s ON a WHEN MATCHED THEN DELETE", None),
        (f"INSERT INTO t VALUES ({LONG_LIST} ';')", QueryType.INSERT),
        (f"MERGE INTO t USING ({LONG_LIST} 1); SELECT 1", QueryType.MERGE),
        ("SELECT 1 -- ".ljust(20 * CUT, "x"), None),
    ],
    ids=lambda value: str(value)[-40:],
)
def test_the_type_of_a_text_that_is_cut(text: str, expected: QueryType | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its beginning does not settle what its end may outrank; how far that is looked for is bounded."""
    monkeypatch.setattr(statement_text, "_MAX_SEARCHED_LENGTH", 10 * CUT)
    query = describer(max_query_length=CUT).query(stated(text, connection=connection("postgres")))
    assert query.context.query_type is expected
    assert "query_text:truncated" in query.tags


@pytest.mark.parametrize("start", range(890, 1_010, 7))
@pytest.mark.parametrize("masking", [False, True])
def test_no_secret_survives_a_cut(start: int, masking: bool) -> None:
    """Wherever the cut is, no piece of a secret is left before it."""
    text = "SELECT ".ljust(start, "x") + SECRET + " y" * 40_000
    query = describer(max_query_length=1_000, mask_literals=masking).query(stated(text, error=Refused("no")))
    assert "hunter" not in everything(query)


def test_long_messages_and_tags_are_cut() -> None:
    """Neither an exception with a whole log in it nor an odd owner makes a huge record."""
    facts = TaskFacts(owner="x" * 1_000, dag_id="y" * 1_000_000, dag_tags=("z" * 500,))
    query = describer(facts, tags=("w" * 1_000_000,)).query(stated(error=Refused("long " * 1_000_000)))
    failure: Any = query.failure_info
    assert len(failure.failure_message) == failure_message.MAX_MESSAGE_LENGTH
    assert failure.failure_message.endswith("…")
    assert "dag_id:(too long)" in query.tags
    assert "(too long)" in query.tags
    assert max(map(len, query.tags)) == templates.MAX_TAG_LENGTH
    assert len(query.encode()) < 5_000


# --- whatever comes


@pytest.mark.parametrize(
    "fields",
    [
        {"duration_ms": float("nan")},
        {"duration_ms": float("inf")},
        {"duration_ms": -1},
        {"duration_ms": "5"},
        {"started_at": NOON.replace(tzinfo=None)},
        {"engine_id": ""},
        {"engine_id": ["a", "b"]},
        {"server_version": ("15", "0")},
        {"conn_id": "\0"},
        {"connection": object()},
        {"connection": SimpleNamespace(conn_type=["x"], login=object(), schema={}, extra_dejson=None)},
        {"connection": "trino://lake"},
        {"hook": 5},
        {"hook": type("Slotted", (), {"__slots__": ()})()},
        {"text": None},
        {"text": ""},
        {"text": "\ud800 \0 \U0010ffff"},
        {"error": Refused()},
        {"error": Refused(b"bytes")},
        {"error": KeyboardInterrupt()},
    ],
)
@pytest.mark.parametrize("masking", [False, True])
def test_an_odd_part_does_not_keep_a_statement_from_being_reported(fields: dict[str, Any], masking: bool) -> None:
    """Whatever is odd is left out; the rest is a query that the API takes."""
    fields.setdefault("text", "SELECT 1")
    for query in (
        describer(mask_literals=masking).query(stated(**fields)),
        describer(mask_literals=masking).interrupted(stated(**fields)),
    ):
        assert query.encode()
        assert query.query_id == "q-1"
        assert "dag_id:etl" in query.tags


def test_a_connection_that_fails_is_left_out_and_counted() -> None:
    """A connection whose extra cannot be read says nothing, and the statement is reported."""

    class Broken:
        conn_type = "trino"
        login = "bob"

        @property
        def extra_dejson(self) -> dict[str, Any]:
            raise ValueError("private")

    describes = describer(contexts={"lake": {"catalog": "iceberg"}})
    query = describes.query(stated(conn_id="lake", connection=Broken()))
    assert query.context.catalog == "iceberg"
    assert query.context.user is None
    assert query.tags[-2:] == ("conn_id:lake", "conn_type:trino")
    assert describes.omitted_parts == {"context": 1}


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(), message=st.text(), tag=st.text(), masking=st.booleans(), length=st.integers(256, 400))
def test_any_words_can_be_told(text: str, message: str, tag: str, masking: bool, length: int) -> None:
    """No text, message or tag breaks a description, and around a secret none lets it pass."""
    describes = describer(
        TaskFacts(owner=f"{tag}{SECRET}{tag}"), mask_literals=masking, max_query_length=length, tags=(f"{tag}{SECRET}",)
    )
    statement = stated(f"{text}{SECRET}{text}", error=Refused(f"{message}{SECRET}{message}"))
    told = everything(describes.query(statement))
    assert SECRET not in told


# --- work


def test_a_connection_is_read_once() -> None:
    """A thousand statements of one hook cost one look at its connection; another hook is looked at again."""

    class Counted:
        conn_type = "trino"
        login = schema = None
        looks = 0

        @property
        def extra_dejson(self) -> dict[str, Any]:
            Counted.looks += 1
            return {"catalog": "iceberg"}

    class Hook:
        pass

    held, hook, describes = Counted(), Hook(), describer()
    for _ in range(1_000):
        assert describes.query(stated(conn_id="lake", connection=held, hook=hook)).context.catalog == "iceberg"
    assert Counted.looks == 1
    describes.query(stated(conn_id="lake", connection=held, hook=Hook()))
    assert Counted.looks == 2


def test_two_hooks_of_one_connection_are_kept_apart() -> None:
    """A hook that was told another database than its connection's is reported with that one."""
    held = connection("postgres", schema="lake")
    hooks = [SimpleNamespace(database=None), SimpleNamespace(database="other")]
    describes = describer()
    for _ in range(3):
        catalogs = [describes.query(stated(conn_id="pg", connection=held, hook=hook)).context.catalog for hook in hooks]
        assert catalogs == ["lake", "other"]


def test_no_hook_is_kept_alive() -> None:
    """A hook holds connections to an engine; describing its statements does not keep it."""

    class Hook:
        alive = 0

        def __init__(self) -> None:
            Hook.alive += 1

        def __del__(self) -> None:
            Hook.alive -= 1

    describes = describer()
    describes.query(stated(conn_id="lake", hook=Hook()))
    gc.collect()
    assert Hook.alive == 0
    describes.query(stated(conn_id="lake"))


def test_threads_share_a_describer() -> None:
    """Statements may end in many threads at once."""
    describes = describer()
    told: list[str] = []

    def tell(number: int) -> None:
        held = connection(login=f"user-{number}")
        for _ in range(200):
            query = describes.query(stated(conn_id=f"c{number % 2}", connection=held))
            told.append(f"{query.context.user} user-{number}")

    threads = [threading.Thread(target=tell, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 1_600
    assert all(len(set(pair.split())) == 1 for pair in told)


# --- what is worked out once


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets an item whenever a form is made."""
    forms: list[int] = []
    form = templates.QueryTemplates
    monkeypatch.setattr(templates, "QueryTemplates", lambda *arguments: forms.append(1) or form(*arguments))
    templates._templates.cache_clear()
    return forms


def test_statements_that_are_alike_are_worked_out_once_whatever_their_hooks(made: list[int]) -> None:
    """A task may make a hook, and look its connection up, for each of its statements."""
    one = describer()
    for number in range(20):
        statement = stated(f"SELECT {number}", connection=connection(login="ann"), hook=SimpleNamespace())
        one.build_interrupted(statement)
        assert one.query(statement).context.user == "ann"
    assert len(made) == 1


def test_statements_are_worked_out_once_where_the_masker_does_not_tell_what_it_knows(
    monkeypatch: pytest.MonkeyPatch, made: list[int]
) -> None:
    monkeypatch.setattr(known_secrets, "_masker", lambda _module: None)
    monkeypatch.setattr(known_secrets, "_last", None)
    one = describer()
    for number in range(20):
        one.build_interrupted(stated(f"SELECT {number}"))
    assert len(made) == 1


def test_no_more_is_kept_than_is_needed() -> None:
    one = describer()
    for number in range(600):
        one.build_finished(stated(connection=connection(login=f"user-{number}"), hook=SimpleNamespace()))
    assert len(one._templates._cached[1]) <= templates._MAX_TEMPLATES


def test_a_failure_that_cannot_be_read_is_still_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task may have no file left to import with, just when its statement fails."""
    monkeypatch.setitem(sys.modules, "airflow_provider_ryft.query_builder.failure_message", None)
    one = describer()
    statement = stated(error=Refused("no"))
    one.build_interrupted(statement)
    query = one.query(statement)
    assert query.query_state is QueryState.FAILED
    assert query.duration_ms == 12.5
    assert query.failure_info == FailureInfo(error_type=ErrorType.USER_ERROR)
    assert one.omitted_parts == {"failure": 1}
