"""The text of a statement as it is reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_ryft.ingest.query import QueryType
from airflow_provider_ryft.query_builder import statement_text
from airflow_provider_ryft.query_builder.statement_text import WITHHELD
from support.built_queries import Refused, connection, encoded, make_statement, query_builder
from support.masker import SECRET

pytestmark = pytest.mark.usefixtures("mask_secret")


CUT = 1_000


LONG_LIST = "1, " * CUT


def test_the_query_type_is_the_statements() -> None:
    """It is read from what was executed, whatever is masked of it."""
    query = query_builder(mask_literals=True).query(
        make_statement(f"MERGE INTO t USING s ON t.x = '{SECRET}' WHEN MATCHED THEN DELETE")
    )
    assert query.context.query_type is QueryType.MERGE
    assert query.query == "MERGE INTO t USING s ON t.x = ? WHEN MATCHED THEN DELETE"


def test_literals_are_masked_on_request() -> None:
    """The option takes every literal out of the text, and the comments."""
    text = f"SELECT * FROM t WHERE s = 'private' AND n = 42 AND k = '{SECRET}' -- private"
    assert query_builder().query(make_statement(text)).query == text.replace(SECRET, "***")
    query = query_builder(mask_literals=True).query(make_statement(text))
    assert query.query.strip() == "SELECT * FROM t WHERE s = ? AND n = ? AND k = ?"


def test_literals_are_masked_in_the_connections_dialect() -> None:
    """A backslash means what it means to the engine."""
    text = r"SELECT 'C:\', 'private' FROM t"
    query = query_builder(mask_literals=True).query(make_statement(text, connection=connection("postgres")))
    assert query.query == "SELECT ?, ? FROM t"
    query = query_builder(mask_literals=True).query(
        make_statement(r"SELECT 'it\'s private' FROM t", connection=connection("mysql"))
    )
    assert query.query == "SELECT ? FROM t"


def test_a_secret_that_hides_a_quote_hides_the_text(mask_secret: Callable[[str], None]) -> None:
    """Without the quote that a secret took with it, code and literals cannot be told apart."""
    mask_secret("x'y-secret")
    builder = query_builder(mask_literals=True)
    query = builder.query(make_statement("SELECT x'y-secret', 'private'"))
    assert query.query == WITHHELD
    assert builder.omitted_parts == {"text": 1}
    assert query_builder().query(make_statement("SELECT x'y-secret', 'private'")).query == "SELECT ***', 'private'"


def test_a_scanner_that_fails_withholds_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Literals that cannot be masked do not leave; a type that cannot be read is left out."""

    def fail(*_: Any) -> None:
        raise RecursionError

    monkeypatch.setattr("airflow_provider_ryft.sql.masking.mask_literals", fail)
    monkeypatch.setattr(statement_text, "query_type", fail)
    builder = query_builder(mask_literals=True)
    query = builder.query(make_statement("SELECT 'private'"))
    assert query.query == WITHHELD
    assert query.context.query_type is None
    assert builder.omitted_parts == {"text": 1, "query type": 1}


@pytest.mark.parametrize("extra", [0, 1, 70_000, 500_000])
@pytest.mark.parametrize("masking", [False, True])
def test_gigantic_texts_are_cut(extra: int, masking: bool) -> None:
    """A text is as long as it may be; one that is longer is cut at a mark that says so, and tagged."""
    text = "SELECT '".ljust(1_000 + extra, "x")
    query = query_builder(max_query_length=1_000, mask_literals=masking).query(make_statement(text))
    assert len(query.query) <= 1_000
    assert ("query_text:truncated" in query.tags) == (extra > 0)
    if extra:
        assert query.query.endswith(f"it has {1_000 + extra} characters, 1000 are allowed */")
    else:
        assert "cut off" not in query.query
    assert ("xxx" in query.query) is not masking


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
    query = query_builder(max_query_length=CUT).query(make_statement(text, connection=connection("postgres")))
    assert query.context.query_type is expected
    assert "query_text:truncated" in query.tags


@pytest.mark.parametrize("start", range(890, 1_010, 7))
@pytest.mark.parametrize("masking", [False, True])
def test_no_secret_survives_a_cut(start: int, masking: bool) -> None:
    """Wherever the cut is, no piece of a secret is left before it."""
    text = "SELECT ".ljust(start, "x") + SECRET + " y" * 40_000
    query = query_builder(max_query_length=1_000, mask_literals=masking).query(
        make_statement(text, error=Refused("no"))
    )
    assert "hunter" not in encoded(query)
