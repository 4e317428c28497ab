"""SQL text without its literals.

String and number literals become ``?``, comments go, and everything else stays as it was. What cannot be told from a
literal is masked too: the text may lose more than it must, and never less.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from airflow_provider_ryft.sql.tokenizer import (
    BRACKET,
    CAUTIOUS,
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
    LexicalRules,
    Token,
    is_known,
    possible_rules,
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
    for start, end, kind in _taken(sql, dialect):
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
    for start, end, _ in _taken(sql, dialect):
        yield sql[start:end]


def _taken(sql: str, dialect: str | None) -> Iterator[_Span]:
    lexicons = _fewest(possible_rules(sql, dialect))
    if len(lexicons) > 1 and len(lexicons) * len(sql) > _READ_IN_EVERY_WAY and not is_known(dialect):
        lexicons = (CAUTIOUS,)
    secrets = _secrets_ahead(sql)
    spans = sorted(span for lexicon in lexicons for span in _spans(sql, lexicon, secrets))
    return (span for span in _merged(spans, len(lexicons)) if span[2] is not NAME)


_READ_IN_EVERY_WAY = 1_000_000  # characters, times readings: some tenths of a second


@lru_cache(maxsize=256)
def _fewest(lexicons: tuple[LexicalRules, ...]) -> tuple[LexicalRules, ...]:
    """Leave out the readings that cut a text as another one does, and hide no more than that."""
    return tuple(one for one in lexicons if not any(another in lexicons for another in _hiding_more(one)))


def _hiding_more(lexicon: LexicalRules) -> Iterator[LexicalRules]:
    """Vary what has no say in where a literal ends."""
    kinds = ("name", "either", "string")
    for double in kinds[kinds.index(lexicon.double) :]:
        for dashed in {False, lexicon.dashed_names}:
            for numbered in {False, lexicon.numbered}:
                another = LexicalRules(lexicon, double=double, dashed_names=dashed, numbered=numbered)
                if another != lexicon:
                    yield another


def _merged(spans: Iterable[_Span], count: int) -> Iterator[_Span]:
    """Join what overlaps and the literals that touch: ``count`` readings agree on a comment, or all of it is hidden."""
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
    """Return what stands for a comment so that the texts around it do not run into each other."""
    if sql.endswith(("--", "#"), 0, start):
        return "?"  # MySQL reads "--x" as two signs, and "-- x" as a comment; so does ClickHouse with "#"
    at_edge = start == 0 or end == len(sql)
    return "" if at_edge or sql[start - 1].isspace() or sql[end].isspace() else " "


def _spans(sql: str, lexicon: LexicalRules, secrets_ahead: bool) -> Iterator[_Span]:
    """Yield what one reading hides, and its quoted names, in order."""
    secrets = InlineSecretFinder(lexicon) if secrets_ahead else None
    first: Token = (END, 0, 0)  # of the statement
    earlier = before = first
    for token in tokens(sql, lexicon):
        kind, start, end = token
        if kind is COMMENT:
            yield start, end, COMMENT
            continue
        if before[0] is END:
            first = token
        if secrets and lexicon.cautious and sql[start] == "[":
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
                yield start, end, _HIDDEN  # what the scanner saw before it is the end of a comment
        elif kind is NUMBER:
            if not _is_member(sql, token, before, earlier, lexicon):
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


def _is_member(sql: str, token: Token, before: Token, earlier: Token, lexicon: LexicalRules) -> bool:
    """Tell ``a.b.1``, and in some dialects ``t.1`` and ``f(x).1``, from ``.1``."""
    kind, start, end = before
    if sql[token[1]] != "." or end != token[1]:
        return False
    if kind is NAME:
        return True
    if kind is WORD:
        if sql[earlier[1] : start] == ".":
            return True
        return lexicon.digit_names and sql[start:end].upper() not in _EXPRESSION_FOLLOWS
    return lexicon.digit_names and kind is OTHER and sql[start:end] in (")", "]", "}")


_NAME_FOLLOWS = frozenset(
    {
        "ADD", "AS", "COLUMN", "CONSTRAINT", "EXISTS", "FROM", "INDEX", "INTO", "JOIN", "REFERENCES", "RENAME",
        "TABLE", "TO", "TRIGGER", "UPDATE", "VIEW",
    }
)  # fmt: skip
_DOT = re.compile(r"\s{0,99}\.(?![0-9])")


def _is_name(sql: str, token: Token, before: Token, earlier: Token, first: Token) -> bool:
    """Tell where only a name can stand: not in ``IS DISTINCT FROM "x"``, nor in ``VACUUM INTO "x"``."""
    word = sql[before[1] : before[2]].upper()
    if word == "FROM" and sql[earlier[1] : earlier[2]].upper() == "DISTINCT":
        return False
    if word == "INTO" and sql[first[1] : first[2]].upper() == "VACUUM":
        return False
    return word == "." or (before[0] is WORD and word in _NAME_FOLLOWS) or bool(_DOT.match(sql, token[2]))


class InlineSecretFinder:
    """Follows the words of a statement to the values that are no literals, and yet must not be seen."""

    def __init__(self, lexicon: LexicalRules) -> None:
        self._settings = lexicon.settings
        self._word_settings = lexicon.word_settings
        self._start()

    def _start(self) -> None:
        self._verb = ""  # first word of the statement
        self._object = ""  # what it creates or alters
        self._identified = False  # IDENTIFIED was read
        self._named = False  # the word before is such as PASSWORD
        self._awaits = False  # the next token is a secret
        self._until_end = False  # everything is, up to a semicolon
        self._awaits_word = False  # the next token is one if it is a word or a name
        self._depth = 0  # of parentheses in a group whose values are secrets
        self._brackets = 0  # and of other brackets in there
        self._key = ""  # whose value it is there
        self._run_end = -1  # where the secret ends, unless what follows touches it
        self._was_secret = False  # the token before

    def holds(self, sql: str, token: Token) -> bool:
        """Tell whether a token is a secret, or part of one."""
        kind, start, end = token
        if kind is BRACKET:
            return False
        if kind is END:
            self._start()
            return False
        if self._until_end:
            return True
        text = sql[start:end]
        if self._depth:
            return self._in_group(text)
        if self._awaits and text in _BEFORE_SECRET:
            return False
        was_secret, self._was_secret = self._was_secret, False
        if self._awaits or (start == self._run_end and text not in _AFTER_SECRET):
            return self._found(end)
        if self._awaits_word and text not in _BEFORE_SECRET:
            self._awaits_word = False
            if kind in (WORD, NAME, NAME_OR_STRING) and text.upper() not in _CONSTANTS and not sql.startswith("(", end):
                return self._found(end)
        if kind is WORD:
            return self._read(text.upper(), end)
        if text == "(" and self._opens_group():
            return False
        self._verb = self._verb or text
        if text == "=":
            self._until_end = self._settings and self._verb == "SET"
            self._awaits = self._named
            self._awaits_word = self._word_settings and self._verb in ("PRAGMA", "SET")
        elif text == ",":  # GRANT ... TO a, b IDENTIFIED BY x, y
            self._awaits = was_secret and self._verb == "GRANT"
        self._named = False
        return False

    def _found(self, end: int) -> bool:
        self._awaits, self._named, self._was_secret, self._run_end = False, False, True, end
        return True

    def _opens_group(self) -> bool:
        """Tell the parentheses of ``CREATE SECRET (...)``, ``ATTACH ... (...)`` and ``PRAGMA key(...)``."""
        if self._verb == "PRAGMA":
            opens = self._named
        else:
            attaches = self._verb == "ATTACH" and self._object not in _TABLES
            opens = attaches or (self._verb == "CREATE" and self._object == "SECRET")
        if opens:
            self._depth, self._brackets = 1, 0
            self._key = "?" if self._verb == "PRAGMA" else ""
        return opens

    def _in_group(self, text: str) -> bool:
        """Tell a secret from the names before it: ``TYPE s3, KEY_ID x``; all arguments of a pragma are secrets."""
        self._named = False
        if text == ")":
            self._depth -= 1
            return self._depth > 0
        if text == "(":
            self._depth += 1
        elif text in _BRACKETS:
            self._brackets += _BRACKETS[text]
        elif text == "," and self._depth == 1 and not self._brackets and self._verb != "PRAGMA":
            self._key = ""
            return False
        if self._depth == 1 and not self._key:
            self._key = text.upper()
            return False
        return self._depth > 1 or self._key not in _NO_SECRETS

    def _read(self, word: str, end: int) -> bool:
        """Take in a word, and tell whether it is a secret itself."""
        if self._named and self._object in _ACCOUNTS:
            return self._found(end)
        if not self._verb or word == "SELECT":
            self._verb = word
        elif not self._object and word not in _BEFORE_OBJECT:
            self._object = word
        elif word == "IDENTIFIED":
            self._identified = True
        elif word in ("BY", "REPLACE") or (word == "SET" and self._verb == "ADMINISTER"):
            self._awaits = self._identified
        elif self._verb == "ATTACH":
            self._awaits = word == "KEY"
        elif self._verb == "ADMINISTER":  # EXPORT KEYS WITH SECRET x
            self._awaits = word == "SECRET"
        elif word == "TO" and self._verb == "SET":
            self._awaits, self._awaits_word = self._named, self._word_settings
        self._named = self._verb in _DEFINITIONS and (word in _SECRET_NAMES or word.endswith(_SECRET_ENDS))
        return False


_DEFINITIONS = frozenset({"ALTER", "ATTACH", "CONNECT", "CREATE", "GRANT", "MODIFY", "PRAGMA", "SET"})
_BEFORE_OBJECT = frozenset({"EXISTS", "IF", "NOT", "OR", "PERSISTENT", "REPLACE", "TEMP", "TEMPORARY"})
_ACCOUNTS = frozenset({"LOGIN", "ROLE", "USER"})
_TABLES = frozenset({"DICTIONARY", "MATERIALIZED", "TABLE", "VIEW"})  # ClickHouse attaches them with their columns
_SECRET_NAMES = frozenset(
    {
        "ACCESSKEY", "APIKEY", "CREDENTIAL", "CREDENTIALS", "HEXKEY", "HEXREKEY", "KEY", "PASSPHRASE", "PASSWD",
        "PASSWORD", "PWD", "REKEY", "SECRET", "SECRETKEY", "TEXTKEY", "TOKEN",
    }
)  # fmt: skip
_SECRET_ENDS = tuple(f"_{name}" for name in sorted(_SECRET_NAMES))
_SECRETS_AHEAD = re.compile(rf"\b(?:attach|identified|pragma|set)\b|(?:{'|'.join(sorted(_SECRET_NAMES)).lower()})\b")
_PARTS_AHEAD = ("attach", "credential", "identified", "key", "pass", "pragma", "pwd", "secret", "set", "token")


def _secrets_ahead(sql: str) -> bool:
    """Tell whether there may be secrets; most texts have not even a part of the words that announce them."""
    lowered = sql.lower()
    return any(part in lowered for part in _PARTS_AHEAD) and bool(_SECRETS_AHEAD.search(lowered))


_BEFORE_SECRET = frozenset("=(")
_AFTER_SECRET = frozenset(",;)")
_BRACKETS = {"[": 1, "{": 1, "]": -1, "}": -1}
_NO_SECRETS = frozenset({"PROVIDER", "TYPE"})
_CONSTANTS = frozenset({"DEFAULT", "FALSE", "NULL", "OFF", "ON", "TRUE"})
