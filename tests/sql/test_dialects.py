"""How dialects cut text: engines say what a literal, a name and a comment is, and an unknown dialect may be any."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st

from airflow_provider_ryft.sql.dialects import is_known, possible_rules
from airflow_provider_ryft.sql.masking import mask_literals
from support.services import require
from support.sql_texts import UNTIMED


def test_a_text_is_read_in_every_way_that_makes_a_difference_to_it() -> None:
    def ways(sql: str, dialect: str | None) -> int:
        return len(possible_rules(sql, dialect))

    plain, quoted, lone_return = "SELECT 'a' FROM t", 'SELECT "a"', "SELECT 1 -- a\rb"
    assert ways(plain, None) == ways(plain, "something_new") == 1
    assert ways(quoted, "postgres") == ways(quoted, "mysql") == 1
    assert ways(quoted, None) > 1
    assert ways(quoted, "athena") == 2  # queries are Trino's, definitions Hive's
    assert ways(lone_return, "postgres") == 2


def test_a_dialect_is_known_in_any_letters() -> None:
    assert is_known("postgres")
    assert is_known("Postgres")
    assert not is_known("something_new")
    assert not is_known(None)


# --- engines that say what a literal is

SECRET = "s3cret"
NASTY = st.lists(
    st.sampled_from(
        [
            "'",
            '"',
            "`",
            "\\",
            "$",
            "$$",
            "$a$",
            "--",
            "-- ",
            "/*",
            "*/",
            "#",
            "//",
            ";",
            "\n",
            " ",
            "]",
            "[",
            "x",
            "é",
            "?",
            "q'[",
        ]
    ),
    max_size=6,
).map("".join)
Made = tuple[str, str]
"""A literal as it is written, and the text that it stands for."""


def _doubled(text: str, quote: str = "'") -> str:
    return quote + text.replace(quote, quote * 2) + quote


def _escaped(text: str, quote: str = "'") -> str:
    return quote + text.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote


def _postgres_literals(text: str) -> list[Made]:
    return [
        (_doubled(text), text),
        ("N" + _doubled(text), text),
        ("e" + _escaped(text), text),
        ("E" + _doubled(text.replace("\\", "\\\\")), text),
        (f"E'x'\n -- it's\n {_escaped(text)}", "x" + text),
        (f"$q9x${text}$q9x$", text),
        ("U&" + _doubled(text.replace("\\", "\\\\")), text),
    ]


def _duckdb_literals(text: str) -> list[Made]:
    return [(_doubled(text), text), ("E" + _escaped(text), text), (f"$q9x${text}$q9x$", text)]


def _sqlite_literals(text: str) -> list[Made]:
    return [(_doubled(text), text), (f"CAST(x'{text.encode().hex()}' AS text)", text)]


def _mysql_literals(text: str) -> list[Made]:
    hidden = _doubled(text.replace("\\", "\\\\"))
    return [
        (hidden, text),
        (_escaped(text), text),
        (_escaped(text, '"'), text),
        (_doubled(text.replace("\\", "\\\\"), '"'), text),
        ("N" + hidden, text),
        (f"/*!50000 {_escaped(text.replace('*/', ''))} */", text.replace("*/", "")),
    ]


def _bracketed(text: str) -> str:
    return "[" + text.replace("]", "") + "]"


def _plain_comment(text: str) -> str:
    return f"/* {text.replace('*/', '')} {SECRET} */"


def _flat_comment(text: str) -> str:
    return f"/* {text.replace('*/', '').replace('/*', '')} {SECRET} */"


def _nested_comment(text: str) -> str:
    return _flat_comment(f"{text} ").replace(SECRET, f"/* {SECRET} */ '")


def _line_comment(opening: str) -> Callable[[str], str]:
    return lambda text: opening + text.replace("\n", "") + SECRET + "\n"


class Engine:
    """An engine, how it writes literals, names and comments, and what it says a statement selects."""

    literals: Callable[[str], list[Made]]
    names: Sequence[Callable[[str], str]] = (lambda text: _doubled(text, '"'),)
    comments: Sequence[Callable[[str], str]]
    dialect: str

    def select(self, sql: str) -> list[Any]:
        raise NotImplementedError


class Postgres(Engine):
    dialect = "postgres"
    literals = staticmethod(_postgres_literals)
    comments = (_flat_comment, _nested_comment, _line_comment("--"))

    def __init__(self) -> None:
        psycopg2 = pytest.importorskip("psycopg2")
        try:
            self.connection = psycopg2.connect(host="127.0.0.1", user="postgres", dbname="test", connect_timeout=5)
        except psycopg2.OperationalError as error:
            require(f"there is no PostgreSQL on loopback: {error}")
        self.connection.autocommit = True

    def select(self, sql: str) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchone())


class MariaDB(Engine):
    dialect = "mysql"
    literals = staticmethod(_mysql_literals)
    names = (lambda text: _doubled(text, "`"),)
    comments = (_plain_comment, _line_comment("#"), _line_comment("-- "))

    def __init__(self) -> None:
        pymysql = pytest.importorskip("pymysql")
        try:
            self.connection = pymysql.connect(host="127.0.0.1", user="root", database="test", charset="utf8mb4")
        except pymysql.Error as error:
            require(f"there is no MariaDB on loopback: {error}")

    def select(self, sql: str) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchone())


class DuckDB(Engine):
    dialect = "duckdb"
    literals = staticmethod(_duckdb_literals)
    comments = (_flat_comment, _nested_comment, _line_comment("--"))

    def __init__(self) -> None:
        self.connection = pytest.importorskip("duckdb").connect()

    def select(self, sql: str) -> list[Any]:
        return list(self.connection.execute(sql).fetchone())


class SQLite(Engine):
    dialect = "sqlite"
    literals = staticmethod(_sqlite_literals)
    names = (lambda text: _doubled(text, '"'), lambda text: _doubled(text, "`"), _bracketed)
    comments = (_plain_comment, _line_comment("--"))

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:")

    def select(self, sql: str) -> list[Any]:
        return list(self.connection.execute(sql).fetchone())


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(Postgres, marks=pytest.mark.services),
        pytest.param(MariaDB, marks=pytest.mark.services),
        DuckDB,
        SQLite,
    ],
)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    made = request.param()
    yield made
    made.connection.close()


@UNTIMED
@given(data=st.data())
def test_what_an_engine_takes_for_a_literal_is_hidden_and_nothing_else_is(engine: Engine, data: st.DataObject) -> None:
    """The engine returns each literal's text: so this is how it cut the statement, and masking must cut it so too."""
    written, expected, values = [], [], []
    for _ in range(data.draw(st.integers(1, 4), label="columns")):
        text = data.draw(NASTY) + SECRET + data.draw(NASTY)
        literal, value = data.draw(st.sampled_from(engine.literals(text)))
        name = data.draw(st.sampled_from(engine.names))("n" + data.draw(NASTY) + "n")
        comment = data.draw(st.sampled_from(engine.comments))(data.draw(NASTY))
        number = data.draw(st.sampled_from(["1", "2.5", "3e2", ".5", "1."]))
        written.append(f"{literal} AS {name} {comment} , {number}")
        shown = literal.replace(re.sub(r"^(CAST\(|/\*!50000 )|( AS text\)| \*/)$", "", literal), "?")
        expected.append(f"{shown} AS {name}  , ?")
        values.append(value)
    sql = "SELECT " + ", ".join(written)
    assert engine.select(sql)[::2] == values
    masked = mask_literals(sql, engine.dialect)
    assert SECRET not in masked
    assert _folded(masked) == _folded("SELECT " + ", ".join(expected))
    assert SECRET not in mask_literals(sql)


def _folded(sql: str) -> str:
    return re.sub(r"\s+", " ", sql)
