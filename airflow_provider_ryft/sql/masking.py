"""SQL text without its literals.

String and number literals become ``?``, comments go, and everything else stays as it was. What cannot be told from a
literal is masked too: the text may lose more than it must, and never less.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from airflow_provider_ryft.sql.dialects import CAUTIOUS, LexicalRules, is_known, possible_rules
from airflow_provider_ryft.sql.inline_secrets import InlineSecretFinder, may_hold_secrets
from airflow_provider_ryft.sql.tokenizer import (
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
    Token,
    tokens,
)

_HIDDEN = "hidden"
_Span = tuple[int, int, str]
"""(start, end, what it is: hidden, a comment, or a quoted name, which stays unless another reading hides part of it)"""


def mask_literals(sql: str, dialect: str | None = None) -> str:
    """Replace each literal by ``?`` and drop the comments, in time linear in the length of the text.

    ``true``, ``false``, ``null``, names and placeholders stay. So do types, with ``?`` for their numbers:
    ``decimal(?, ?)``. A password without quotes goes too (``IDENTIFIED BY x``, ``PASSWORD = x``), and so does the
    value of Hive's and Spark's ``SET name=value``, data that follows a statement, and what an unclosed quote begins.

    Masking is idempotent, and it does not change the :func:`~airflow_provider_ryft.sql.query_type.query_type` of a
    statement whose dialect is known. For other dialects the text is read in every way that dialects have, and what any
    of them takes for a literal is masked; a text too long for that is masked to its end from where they may part.

    The rules are those of the dialect's default settings: text for a PostgreSQL with
    ``standard_conforming_strings = off``, or for a MySQL with ``NO_BACKSLASH_ESCAPES``, is not what it looks like.

    :param dialect: an Airflow connection type, such as ``postgres``; ``None`` if it is not known
    """
    pieces: list[str] = []
    position, hidden_to = 0, -1
    for start, end, kind in _hidden_spans(sql, dialect):
        pieces.append(sql[position:start])
        if kind is COMMENT:
            pieces.append(_gap(sql, start, end))
        elif start != hidden_to:
            pieces.append("?")
        position, hidden_to = end, end if kind is _HIDDEN else -1
    pieces.append(sql[position:])
    return "".join(pieces)


def literals(sql: str, dialect: str | None = None) -> Iterator[str]:
    """Yield what :func:`mask_literals` takes out of a text, as it is there: literals, comments, and what may be one.

    :param dialect: an Airflow connection type, such as ``postgres``; ``None`` if it is not known
    """
    for start, end, _ in _hidden_spans(sql, dialect):
        yield sql[start:end]


def _hidden_spans(sql: str, dialect: str | None) -> Iterator[_Span]:
    rule_sets = _fewest(possible_rules(sql, dialect))
    if len(rule_sets) > 1 and len(rule_sets) * len(sql) > _MAX_WORK and not is_known(dialect):
        rule_sets = (CAUTIOUS,)
    secrets = may_hold_secrets(sql)
    spans = sorted(span for rules in rule_sets for span in _spans(sql, rules, secrets))
    return (span for span in _merged(spans, len(rule_sets)) if span[2] is not NAME)


_MAX_WORK = 1_000_000  # characters, times the ways to read them: some tenths of a second


@lru_cache(maxsize=256)
def _fewest(rule_sets: tuple[LexicalRules, ...]) -> tuple[LexicalRules, ...]:
    """Leave out rules that cut a text as others do, and hide no more than those."""
    return tuple(one for one in rule_sets if not any(another in rule_sets for another in _hiding_more(one)))


def _hiding_more(rules: LexicalRules) -> Iterator[LexicalRules]:
    """Vary what has no say in where a literal ends."""
    kinds = ("name", "either", "string")
    for double in kinds[kinds.index(rules.double) :]:
        for dashed in {False, rules.dashed_names}:
            for numbered in {False, rules.numbered}:
                another = LexicalRules(rules, double=double, dashed_names=dashed, numbered=numbered)
                if another != rules:
                    yield another


def _merged(spans: Iterable[_Span], count: int) -> Iterator[_Span]:
    """Join what overlaps and the literals that touch; a comment is one if all ``count`` rule sets agree on it."""
    start, end, kind, agree = 0, 0, NAME, 0
    for next_start, next_end, next_kind in spans:
        same = (next_start, next_end, next_kind) == (start, end, kind)
        touches = next_start == end and kind is next_kind is _HIDDEN
        if same:
            agree += 1
        elif next_start < end or touches:
            end, kind = max(end, next_end), _HIDDEN
        else:
            if end:
                yield start, end, _settled(kind, agree, count)
            start, end, kind, agree = next_start, next_end, next_kind, 1
    if end:
        yield start, end, _settled(kind, agree, count)


def _settled(kind: str, agree: int, count: int) -> str:
    return _HIDDEN if kind is COMMENT and agree < count else kind


def _gap(sql: str, start: int, end: int) -> str:
    """Return what replaces a comment so that the texts around it do not run into each other."""
    if sql.endswith(("--", "#"), 0, start):
        return "?"  # MySQL reads "--x" as two signs, and "-- x" as a comment; so does ClickHouse with "#"
    at_edge = start == 0 or end == len(sql)
    return "" if at_edge or sql[start - 1].isspace() or sql[end].isspace() else " "


def _spans(sql: str, rules: LexicalRules, secrets_ahead: bool) -> Iterator[_Span]:
    """Yield what one reading hides, and its quoted names, in order."""
    secrets = InlineSecretFinder(rules) if secrets_ahead else None
    first: Token = (END, 0, 0)  # of the statement
    earlier = before = first
    for token in tokens(sql, rules):
        kind, start, end = token
        if kind is COMMENT:
            yield start, end, COMMENT
            continue
        if before[0] is END:
            first = token
        if secrets and rules.cautious and sql[start] == "[":
            yield start, len(sql), _HIDDEN  # whether these are words of the statement is not settled
            return
        if secrets and secrets.holds(sql, token):
            yield start, end, _HIDDEN
            token = (STRING, end, end)
        elif kind is WORD or kind is OTHER:
            pass
        elif kind is STRING or kind is DATA:
            yield start, end, _HIDDEN
        elif kind is PLACEHOLDER:
            if sql[start] == ":" and sql[before[1] : before[2]] not in _BEFORE_PLACEHOLDER:
                yield start, end, _HIDDEN  # what the tokenizer saw before it is the end of a comment
        elif kind is NUMBER:
            if not _is_member(sql, token, before, earlier, rules):
                yield start, end, _HIDDEN
        elif kind is NAME:
            yield start, end, NAME
        elif kind is NAME_OR_STRING:
            yield start, end, NAME if _is_name(sql, token, before, earlier, first) else _HIDDEN
        earlier, before = before, token


_BEFORE_PLACEHOLDER = frozenset("(,=<>|+*/-")
_EXPRESSION_FOLLOWS = frozenset(
    {
        "ALL", "AND", "ANY", "AS", "ASYMMETRIC", "BETWEEN", "BY", "CASE", "DEFAULT", "DISTINCT", "DIV", "ELSE",
        "ELSEIF", "ESCAPE", "EXCEPT", "FETCH", "FIRST", "FOR", "FROM", "GLOB", "HAVING", "IF", "ILIKE", "IN",
        "INTERVAL", "IS", "LIKE", "LIMIT", "MOD", "NEXT", "NOT", "OFFSET", "ON", "OR", "RANGE", "REGEXP", "RETURN",
        "RETURNING", "RLIKE", "ROWS", "SAMPLE", "SELECT", "SET", "SIMILAR", "SOME", "SYMMETRIC", "THEN", "TO", "TOP",
        "UNTIL", "USING", "VALUES", "WHEN", "WHERE", "WHILE", "WITH", "XOR", "YIELD",
    }
)  # fmt: skip


def _is_member(sql: str, token: Token, before: Token, earlier: Token, rules: LexicalRules) -> bool:
    """Distinguish ``a.b.1``, and in some dialects ``t.1`` and ``f(x).1``, from ``.1``."""
    kind, start, end = before
    if sql[token[1]] != "." or end != token[1]:
        return False
    if kind is NAME:
        return True
    if kind is WORD:
        if sql[earlier[1] : start] == ".":
            return True
        return rules.digit_names and sql[start:end].upper() not in _EXPRESSION_FOLLOWS
    return rules.digit_names and kind is OTHER and sql[start:end] in (")", "]", "}")


_NAME_NOT_STRING_FOLLOWS = frozenset(
    {
        "ADD", "AS", "COLUMN", "CONSTRAINT", "EXISTS", "FROM", "INDEX", "INTO", "JOIN", "REFERENCES", "RENAME",
        "TABLE", "TO", "TRIGGER", "UPDATE", "VIEW",
    }
)  # fmt: skip
_DOT = re.compile(r"\s{0,99}\.(?![0-9])")


def _is_name(sql: str, token: Token, before: Token, earlier: Token, first: Token) -> bool:
    """Return whether only a name can be in this place: not in ``IS DISTINCT FROM "x"``, nor in ``VACUUM INTO "x"``."""
    word = sql[before[1] : before[2]].upper()
    if word == "FROM" and sql[earlier[1] : earlier[2]].upper() == "DISTINCT":
        return False
    if word == "INTO" and sql[first[1] : first[2]].upper() == "VACUUM":
        return False
    return word == "." or (before[0] is WORD and word in _NAME_NOT_STRING_FOLLOWS) or bool(_DOT.match(sql, token[2]))
