"""Observing the hooks of engines that speak HTTP: the real driver, and a server that answers it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import text as clause

from airflow_provider_ryft.instrumentation import instrumentor

pytestmark = pytest.mark.filterwarnings("ignore")


@contextmanager
def http_server(answer: Callable[[str, str, str], tuple[int, Any]]) -> Iterator[int]:
    """Serve what ``answer(method, path, body)`` returns, on a port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            status, payload = answer(self.command, self.path, body)
            content = json.dumps(payload).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _do

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Coordinator:
    """A coordinator of Trino or Presto: a query takes two pages, and fails at once or at its second page."""

    def __init__(self) -> None:
        self.queries: dict[str, str] = {}
        self.pages: list[str] = []
        self.port = 0

    def __call__(self, method: str, path: str, body: str) -> tuple[int, Any]:
        if method == "DELETE":
            return 204, {}
        if method == "POST":
            query_id = f"q{len(self.queries) + 1}"
            self.queries[query_id] = body
            if "bad now" in body:
                return 200, self._failure(query_id)
            return 200, self._page(query_id, "QUEUED", following=1)
        query_id, page = path.strip("/").split("/")[-2:]
        self.pages.append(f"{query_id}/{page}")
        if page == "1":
            return 200, self._page(query_id, "RUNNING", following=2, data=[[1]])
        if "bad later" in self.queries[query_id]:
            return 200, self._failure(query_id)
        return 200, self._page(query_id, "FINISHED", data=[[2]])

    def _page(self, query_id: str, state: str, following: int = 0, data: Any = None) -> dict[str, Any]:
        stats = {"state": state, "queued": False, "scheduled": True, "nodes": 1, "elapsedTimeMillis": 1}
        page: dict[str, Any] = {"id": query_id, "infoUri": "http://info", "stats": stats, "warnings": []}
        if following:
            page["nextUri"] = f"http://127.0.0.1:{self.port}/v1/statement/{query_id}/{following}"
        if data:
            signature = {"rawType": "integer", "arguments": [], "typeArguments": [], "literalArguments": []}
            page["columns"] = [{"name": "n", "type": "integer", "typeSignature": signature}]
            page["data"] = data
        return page

    def _failure(self, query_id: str) -> dict[str, Any]:
        error = {
            "message": "no such column",
            "errorCode": 47,
            "errorName": "COLUMN_NOT_FOUND",
            "errorType": "USER_ERROR",
            "failureInfo": {"type": "x"},
        }
        return {**self._page(query_id, "FAILED"), "error": error}


@pytest.fixture
def coordinator() -> Iterator[Coordinator]:
    answer = Coordinator()
    with http_server(answer) as answer.port:
        yield answer


ENGINES = {
    "trino": ("airflow.providers.trino.hooks.trino", "TrinoHook", "trino"),
    "presto": ("airflow.providers.presto.hooks.presto", "PrestoHook", "prestodb"),
}


@pytest.fixture(params=list(ENGINES))
def lazy(request: Any, coordinator: Coordinator, connect: Callable[..., str]) -> Any:
    """Return a hook of an engine whose driver returns with the first page of the answer."""
    module, name, driver = ENGINES[request.param]
    pytest.importorskip(driver, reason=f"needs the driver {driver}")
    hooks = pytest.importorskip(module, reason=f"needs the provider of {request.param}")
    definition = {
        "conn_type": request.param,
        "host": "127.0.0.1",
        "port": coordinator.port,
        "login": "u",
        "schema": "s",
    }
    return getattr(hooks, name)(connect(json.dumps(definition), "lazy"))


def test_an_engine_is_done_when_its_result_is_handled(processor: Any, lazy: Any, coordinator: Coordinator) -> None:
    """A statement lasts until its last page was fetched, and carries the engine's id."""
    pages_at_end: list[list[str]] = []
    remember = processor.on_end

    def end(statement: Any) -> None:
        pages_at_end.append(list(coordinator.pages))
        remember(statement)

    processor.on_end = end
    assert [tuple(row) for row in lazy.get_records("SELECT 1")] == [(1,), (2,)]
    assert pages_at_end == [["q1/1", "q1/2"]]
    assert processor.outcomes == [("SELECT 1", "q1", True)]
    lazy.run("SELECT 2; SELECT 3", split_statements=True, handler=lambda cursor: cursor.fetchall())
    assert pages_at_end[1] == ["q1/1", "q1/2", "q2/1", "q2/2"]
    assert [(engine_id, succeeded) for _, engine_id, succeeded in processor.outcomes[1:]] == [
        ("q2", True),
        ("q3", True),
    ]


def test_an_engine_may_fail_while_its_result_is_handled(processor: Any, lazy: Any) -> None:
    """A failure is the statement's, at its first page or at a later one, with the id of the query that failed."""
    for sql in ("SELECT bad now", "SELECT bad later"):
        with pytest.raises(Exception, match="no such column"):
            lazy.get_records(sql)
    assert processor.outcomes == [("SELECT bad now", "q1", False), ("SELECT bad later", "q2", False)]


def test_a_handler_that_fails_after_the_engine_is_done(processor: Any, lazy: Any) -> None:
    """What a task does with a result is not the engine's failure."""

    def handler(cursor: Any) -> None:
        cursor.fetchall()
        raise ValueError("of the task")

    with pytest.raises(ValueError, match="of the task"):
        lazy.run("SELECT 1", handler=handler)
    assert processor.outcomes == [("SELECT 1", "q1", True)]


def test_other_statements_in_a_handler(processor: Any, lazy: Any, sqlite: Any, coordinator: Coordinator) -> None:
    """What a handler runs elsewhere does not end the statement whose result it reads, nor take its id."""
    engine = sqlite.get_sqlalchemy_engine()

    def handler(cursor: Any) -> Any:
        with engine.begin() as connection:
            connection.execute(clause("INSERT INTO t VALUES (4, 'd')"))
        sqlite.insert_rows("t", ((row[0], "e") for row in iter(cursor.fetchone, None)))

    lazy.run("SELECT 1", handler=handler)
    with pytest.raises(Exception, match="no such column") as raised:
        lazy.run("SELECT bad later", handler=handler)
    found = [(statement.engine_id, statement.error) for statement in processor.ended if statement.hook is lazy]
    assert found == [("q1", None), ("q2", raised.value)]
    others = [statement.engine_id for statement in processor.ended if statement.hook is sqlite]
    assert len(others) >= 2
    assert set(others) == {None}
    assert len(processor.began) == len(processor.ended) == len(others) + 2


@pytest.mark.parametrize("lazy", ["trino"], indirect=True)
def test_sqlalchemy_on_a_lazy_engine(processor: Any, lazy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement lasts as the engine says while its result is read, and fails if reading it does; once, in any case.

    It has ended when the next one begins on its connection, when that goes back to its pool, or with the task.
    """
    page = Coordinator._page

    def slow_page(*args: Any, **kwargs: Any) -> dict[str, Any]:
        made = page(*args, **kwargs)
        made["stats"]["elapsedTimeMillis"] = 60_000 if made["stats"]["state"] == "FINISHED" else 1
        return made

    monkeypatch.setattr(Coordinator, "_page", slow_page)
    engine = lazy.get_sqlalchemy_engine()
    with engine.connect() as connection:
        assert connection.execute(clause("SELECT 1")).fetchall() == [(1,), (2,)]
        assert processor.ended == []
        connection.execute(clause("SELECT 2"))
        assert [statement.text for statement in processor.ended] == ["SELECT 1"]
    with pytest.raises(Exception, match="no such column") as raised, engine.connect() as connection:
        connection.execute(clause("SELECT bad later")).fetchall()
    with pytest.raises(Exception, match="no such column"), engine.connect() as connection:
        connection.execute(clause("SELECT bad now"))
    connection = engine.connect()
    unread = connection.execute(clause("SELECT 5"))
    assert len(processor.ended) == 4
    instrumentor.stop()
    assert unread.fetchall() == [(1,), (2,)]
    connection.close()
    assert processor.outcomes == [
        ("SELECT 1", "q1", True),
        ("SELECT 2", "q2", True),
        ("SELECT bad later", "q3", False),
        ("SELECT bad now", "q4", False),
        ("SELECT 5", "q5", True),
    ]
    assert processor.ended[2].error is raised.value.orig
    assert [statement.duration_ms >= 60_000 for statement in processor.ended] == [True, False, False, False, False]


def test_a_data_frame_of_a_lazy_engine(processor: Any, lazy: Any) -> None:
    """A data frame is one statement with the engine's id, whether it succeeds or not."""
    pytest.importorskip("pandas")
    assert len(lazy.get_df("SELECT 1")) == 2
    with pytest.raises(Exception, match="no such column"):
        lazy.get_df("SELECT bad later")
    assert processor.outcomes == [("SELECT 1", "q1", True), ("SELECT bad later", "q2", False)]


def test_rows_of_a_lazy_engine(processor: Any, lazy: Any) -> None:
    """Inserted rows are one record, whatever the driver makes of them."""
    lazy.insert_rows("t", [(1, "secret"), (2, "secret")], ["n", "s"])
    assert [text.split("(")[0].strip() for text in processor.texts] == ["INSERT INTO t"]
    assert "secret" not in processor.only.text


def test_pinot(processor: Any, connect: Callable[..., str]) -> None:
    """Pinot's records are read without ``run``, and reported."""
    pytest.importorskip("pinotdb", reason="needs pinotdb")
    module = pytest.importorskip("airflow.providers.apache.pinot.hooks.pinot", reason="needs the Pinot provider")
    log: list[str] = []

    def answer(method: str, path: str, body: str) -> tuple[int, Any]:
        sql = json.loads(body)["sql"]
        log.append(sql)
        if "bad" in sql:
            return 500, "no such table"
        schema = {"columnNames": ["n"], "columnDataTypes": ["INT"]}
        return 200, {
            "resultTable": {"dataSchema": schema, "rows": [[1]]},
            "exceptions": [],
            "numServersQueried": 1,
            "numServersResponded": 1,
            "timeUsedMs": 1,
        }

    with http_server(answer) as port:
        hook = module.PinotDbApiHook(connect(f"pinot://127.0.0.1:{port}/"))
        assert [list(row) for row in hook.get_records("SELECT n FROM t")] == [[1]]
        assert list(hook.get_first("SELECT m FROM t")) == [1]
        hook.run("SELECT k FROM t")
        with pytest.raises(Exception, match="Query") as raised:
            hook.get_records("SELECT bad FROM t")
    assert processor.texts == log
    assert [statement.error for statement in processor.ended] == [None, None, None, raised.value]
