"""The tokens of a text as the rules for statements read them: one statement after the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise

from airflow_provider_ryft.sql import tokenizer
from airflow_provider_ryft.sql.dialects import LexicalRules
from airflow_provider_ryft.sql.first_word import T_SQL


class TooLongError(Exception):
    """The text has more tokens than may be read."""


class TokenReader:
    """Reads a text term by term, and stops at the end of each statement.

    A word is itself in capitals, a quoted name is ``"`` and the name in capitals, a literal or placeholder is ``?``,
    and a sign is itself. Where T-SQL leaves out the semicolon between two statements, the reader puts one.

    :param dialect: in small letters, empty if it is not known
    :param max_tokens: how many tokens are read before :class:`TooLongError`
    """

    def __init__(self, sql: str, rules: LexicalRules, dialect: str, max_tokens: int) -> None:
        self.dialect = dialect
        terms = _terms(sql, rules, max_tokens)
        self._terms = _with_semicolons(terms) if dialect == "mssql" else terms
        self._next: str | None = None

    def peek(self) -> str:
        """Return the next term without going past it; after the last one, an empty text."""
        if self._next is None:
            self._next = next(self._terms, "")
        return self._next

    def take(self) -> str:
        """Return the next term of the statement and go past it; at the end of the statement, an empty text."""
        term = self.peek()
        if term in (";", ""):
            return ""
        self._next = None
        return term

    def take_if(self, *wanted: str) -> bool:
        """Go past the next term if it is one of these."""
        return self.peek() in wanted and bool(self.take())

    def outside(self) -> Iterator[str]:
        """Take what is left of the statement; groups in parentheses are one term, ``()``."""
        while term := self.take():
            if term == "(":
                self.skip_group()
                term = "()"
            yield term

    def skip_group(self) -> None:
        """Go past the rest of a group whose opening parenthesis was taken."""
        depth = 1
        while depth and (term := self.take()):
            depth += (term == "(") - (term == ")")

    def skip_statement(self) -> None:
        """Go past the statement, and what ends it."""
        while self.take():
            pass
        self._next = None

    def skip_groups(self) -> None:
        """Go past the statement up to a semicolon that is not in parentheses."""
        depth = 0
        while (term := self.peek()) and (term != ";" or depth > 0):
            depth += (term == "(") - (term == ")")
            self._next = None

    def skip_text(self) -> None:
        """Go past everything."""
        while self.peek():
            self.skip_statement()


def _terms(sql: str, rules: LexicalRules, max_tokens: int) -> Iterator[str]:
    word, other, comment = tokenizer.WORD, tokenizer.OTHER, tokenizer.COMMENT  # most tokens
    count = 0
    for kind, start, end in tokenizer.tokens(sql, rules):
        if kind is word:
            term = sql[start:end].upper()
        elif kind is other:
            term = sql[start:end]
        elif kind is comment or kind is tokenizer.BRACKET or kind is tokenizer.DATA:
            continue
        elif kind is tokenizer.END:
            term = ";"
        elif kind is tokenizer.NAME or kind is tokenizer.NAME_OR_STRING:
            term = '"' + sql[start + 1 : end - 1].upper()
        else:
            term = "?"
        count += 1
        if count > max_tokens:
            raise TooLongError
        yield term


def _with_semicolons(terms: Iterator[str]) -> Iterator[str]:
    """Put a semicolon between statements of T-SQL that have no more than white space between them."""
    depth, earlier, before = 0, "", ";"
    for term, after in pairwise(chain(terms, [""])):
        if term in T_SQL and not depth and before != ";" and _starts_statement(term, earlier, before, after):
            yield ";"
        yield term
        depth = 0 if term == ";" else max(0, depth + (term == "(") - (term == ")"))
        earlier, before = before, term


def _starts_statement(term: str, earlier: str, before: str, after: str) -> bool:
    """Return whether a word begins a statement, and not a clause of one such as ``ON DELETE CASCADE``."""
    if before in _CLAUSE_FOLLOWS or (term == "MERGE" and after == "JOIN"):
        return False
    if term == "IF":
        return earlier != "DROP"  # DROP TABLE IF EXISTS
    return before != "ON" or term not in ("DELETE", "UPDATE") or after not in ("CASCADE", "NO", "SET")


_CLAUSE_FOLLOWS = frozenset(
    {
        ",", ".", "=", "@", "AFTER", "AS", "BEGIN", "DENY", "FOR", "FULL", "GRANT", "INNER", "LEFT", "OF", "OR",
        "OUTER", "REVOKE", "RIGHT", "THEN",
    }
)  # fmt: skip
