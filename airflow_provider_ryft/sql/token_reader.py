"""The tokens of a statement, as the rules for statements read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from airflow_provider_ryft.sql import tokenizer
from airflow_provider_ryft.sql.dialects import LexicalRules


class TooLongError(Exception):
    """More tokens than are read."""


class TokenReader:
    """The tokens of a text, one after the other.

    A word is itself in capitals, a quoted name is ``"``, a literal or placeholder is ``?``, a sign is itself, and the
    end is an empty text.
    """

    def __init__(self, sql: str, lexicon: LexicalRules, dialect: str, max_tokens: int) -> None:
        self.dialect = dialect
        self.name = ""  # the last quoted name that was read, without its quotes
        self.last = ""  # the last term that was taken
        self._tokens = self._read(sql, lexicon, max_tokens)
        self._next: str | None = None

    def _read(self, sql: str, lexicon: LexicalRules, max_tokens: int) -> Iterator[str]:
        word, other, comment = tokenizer.WORD, tokenizer.OTHER, tokenizer.COMMENT  # most tokens
        rest = {
            tokenizer.END: ";",
            tokenizer.NAME: '"',
            tokenizer.NAME_OR_STRING: '"',
            tokenizer.BRACKET: "",
            tokenizer.DATA: "",
        }
        count = 0
        for kind, start, end in tokenizer.tokens(sql, lexicon):
            if kind is word:
                term = sql[start:end].upper()
            elif kind is other:
                term = sql[start:end]
            elif kind is comment:
                continue
            else:
                term = rest.get(kind, "?")
                if term == '"':
                    self.name = sql[start + 1 : end - 1]
            if term:
                count += 1
                if count > max_tokens:
                    raise TooLongError
                yield term

    def peek(self) -> str:
        """Return the next term without going past it."""
        if self._next is None:
            self._next = next(self._tokens, "")
        return self._next

    def take(self) -> str:
        """Return the next term of the statement, and go past it unless it is the statement's end."""
        term = self.peek()
        if term in (";", ""):
            return ""
        self._next, self.last = None, term
        return term

    def take_if(self, *wanted: str) -> bool:
        """Go past the next term if it is one of these."""
        return self.peek() in wanted and bool(self.take())

    def skip_group(self, opening: str, closing: str) -> None:
        """Go past the rest of a group whose opening was taken; without a closing there is none."""
        depth = 1 if closing else 0
        while depth and (term := self.take()):
            depth += (term == opening) - (term == closing)

    def outside(self, until: Callable[[str, str], bool] | None = None) -> Iterator[str]:
        """Take what is left of the statement; groups in parentheses are one term, ``()``.

        :param until: tells from the next term and the one before it that another statement starts there
        """
        while not (until and until(self.peek(), self.last)) and (term := self.take()):
            if term == "(":
                self.skip_group("(", ")")
                term = "()"
            yield term

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
