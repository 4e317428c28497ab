"""The shortcut by the first word: it agrees with a full reading, and spares it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, strategies as st

from airflow_provider_ryft.ingest.fields import QueryType
from airflow_provider_ryft.sql import dialects, tokenizer
from airflow_provider_ryft.sql.dialects import possible_rules
from airflow_provider_ryft.sql.first_word import settled_by_first_word
from airflow_provider_ryft.sql.query_type import MAX_TOKENS, query_type
from airflow_provider_ryft.sql.statement_rules import type_of
from support.sql_texts import DIALECTS, TEXTS, UNTIMED

KNOWN = st.sampled_from([dialect for dialect in DIALECTS if dialect])


@UNTIMED
@given(TEXTS, KNOWN)
def test_the_shortcut_agrees_with_a_full_reading(sql: str, dialect: str) -> None:
    seen = settled_by_first_word(sql, dialect)
    read = {type_of(sql, rules, dialect, MAX_TOKENS) for rules in possible_rules(sql, dialect)}
    assert seen is None or {seen} == read


def test_the_most_frequent_statements_need_no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialects, "possible_rules", lambda *_: pytest.fail("it was read"))
    for sql, kind in [
        ("  select a from t where b = 'x' ;\n", QueryType.SELECT),
        ("SELECT(1)", QueryType.SELECT),
        ("INSERT INTO t VALUES (1)", QueryType.INSERT),
        ("DELETE FROM t", QueryType.DELETE),
        ("DROP TABLE t", QueryType.DATA_DEFINITION),
    ]:
        for dialect in ("postgres", None):
            assert query_type(sql, dialect) is kind, (sql, dialect)


def test_the_shortcut_does_not_load_the_tokenizer() -> None:
    source = f"""
import sys
from {query_type.__module__} import query_type
query_type("SELECT 1", "postgres"), query_type("INSERT INTO t VALUES (1)")
assert {tokenizer.__name__!r} not in sys.modules
assert {dialects.__name__!r} not in sys.modules
"""
    subprocess.run([sys.executable, "-c", source], check=True)
