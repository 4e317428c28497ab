"""Text cut into tokens: nothing is lost, and the work is linear in the length of the text."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st

from airflow_provider_ryft.sql import masking, tokenizer
from airflow_provider_ryft.sql.dialects import LexicalRules, possible_rules
from airflow_provider_ryft.sql.masking import mask_literals
from airflow_provider_ryft.sql.tokenizer import (
    BRACKET,
    COMMENT,
    DATA,
    END,
    NAME,
    NAME_OR_STRING,
    NUMBER,
    OTHER,
    PLACEHOLDER,
    STRING,
    WORD,
    tokens,
)
from support.sql_texts import DIALECTS, TEXTS, UNTIMED, check_each


def test_each_kind_of_token_is_told_from_the_others() -> None:
    def kinds(sql: str, dialect: str | None) -> list[tuple[str, str]]:
        (rules,) = possible_rules(sql, dialect)
        return [(kind, sql[start:end]) for kind, start, end in tokens(sql, rules)]

    cases: list[tuple[str, str, list[tuple[str, str]]]] = [
        ("postgres", "a 'b' \"c\"", [(WORD, "a"), (STRING, "'b'"), (NAME, '"c"')]),
        ("postgres", "1.5 $1; --x", [(NUMBER, "1.5"), (PLACEHOLDER, "$1"), (END, ";"), (COMMENT, "--x")]),
        ("sqlite", '=:1 "c"', [(OTHER, "="), (PLACEHOLDER, ":1"), (NAME_OR_STRING, '"c"')]),
        ("mysql", "/*!50001 a */", [(BRACKET, "/*!50001"), (WORD, "a"), (BRACKET, "*/")]),
        (
            "clickhouse",
            "INSERT INTO t FORMAT CSV 1,2",
            [(WORD, "INSERT"), (WORD, "INTO"), (WORD, "t"), (WORD, "FORMAT"), (WORD, "CSV"), (DATA, "1,2")],
        ),
        ("postgres", "a 'b", [(WORD, "a"), (STRING, "'b")]),
    ]
    check_each(cases, kinds)


@UNTIMED
@given(TEXTS, st.sampled_from(DIALECTS))
def test_only_white_space_is_between_tokens(sql: str, dialect: str | None) -> None:
    for rules in possible_rules(sql, dialect):
        position = 0
        for _, start, end in tokens(sql, rules):
            assert position <= start < end
            assert not sql[position:start].strip("\ufeff \t\r\n\f\v;")  # data ends before white space and semicolons
            position = end
        assert not sql[position:].strip("\ufeff \t\r\n\f\v;")


ADVERSARIES = [
    "'", "/*", "$", "((", "\\", "$a$", "q'[", '"""', "/*!", "{#", "E'\\", "[", "`", "''", "a-", "1.", "1e", "-", "@@",
    ":1", "#", "--", "$1", "/*!*/", "*/", "E'\n", "''\n", "E''\n--\n", "\u2018", "r'", "set=", "copy from stdin;",
    "\\.\n", "insert format ", "identified by ", '"', '"".', "a.5", " ", "\r", "\n", "x'", "' '", "q'", "$$$", "1..",
    "{{", "[a ", "[a]", "''x", "/*/", "create secret (", "attach (", "pragma key(",
]  # fmt: skip


@pytest.mark.parametrize("unit", ADVERSARIES)
def test_the_work_is_linear_in_the_length_of_the_text(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the text takes no more than twice the steps; a step that scans on and on would not end in time here."""
    steps = _count_steps(monkeypatch)
    max_work = masking._MAX_WORK
    for dialect, limit in [("postgres", 0), ("mysql", 0), ("clickhouse", 0), (None, max_work), (None, 0)]:
        monkeypatch.setattr(masking, "_MAX_WORK", limit)
        counts, seconds = [], []
        for size in (20_000, 40_000):
            steps.clear()
            started = time.perf_counter()
            mask_literals(unit * (size // len(unit)), dialect)
            seconds.append(time.perf_counter() - started)
            counts.append(len(steps))
        assert counts[1] <= 2 * counts[0] + 50
        print(f"{dialect} {unit!r}: {counts[1]} steps, {seconds[1] / seconds[0]:.1f} times as long")


def _count_steps(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Count each time that the tokenizer matches a token or looks for the end of one."""
    steps: list[None] = []

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            steps.append(None)
            return function(*arguments)

        return call

    grammar = tokenizer._grammar

    def counting_grammar(rules: LexicalRules) -> Any:
        match_at, forms = grammar(rules)
        return counted(match_at), [(kind, pattern, close and counted(close)) for kind, pattern, close in forms]

    monkeypatch.setattr(tokenizer, "_grammar", counting_grammar)
    return steps
