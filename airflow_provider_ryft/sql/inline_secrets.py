"""Finds secrets that a statement holds without quotes, such as ``IDENTIFIED BY x`` and ``PASSWORD = x``."""

from __future__ import annotations

import re

from airflow_provider_ryft.sql.dialects import LexicalRules
from airflow_provider_ryft.sql.tokenizer import BRACKET, END, NAME, NAME_OR_STRING, WORD, Token


class InlineSecretFinder:
    """Follows the words of a statement to the values that are no literals, and are secrets all the same."""

    def __init__(self, rules: LexicalRules) -> None:
        self._settings = rules.settings
        self._word_settings = rules.word_settings
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
        """Return whether a token is a secret, or part of one."""
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
        if self._awaits and text in _MAY_PRECEDE_SECRET:
            return False
        was_secret, self._was_secret = self._was_secret, False
        if self._awaits or (start == self._run_end and text not in _ENDS_SECRET):
            return self._found(end)
        if self._awaits_word and text not in _MAY_PRECEDE_SECRET:
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
        """Return whether a parenthesis opens ``CREATE SECRET (...)``, ``ATTACH ... (...)`` or ``PRAGMA key(...)``."""
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
        """Distinguish a secret from the key before it: ``TYPE s3, KEY_ID x``; all arguments of a pragma are secrets."""
        self._named = False
        if text == ")":
            self._depth -= 1
            return self._depth > 0
        if text == "(":
            self._depth += 1
        elif text in _BRACKET_DEPTHS:
            self._brackets += _BRACKET_DEPTHS[text]
        elif text == "," and self._depth == 1 and not self._brackets and self._verb != "PRAGMA":
            self._key = ""
            return False
        if self._depth == 1 and not self._key:
            self._key = text.upper()
            return False
        return self._depth > 1 or self._key not in _NO_SECRETS

    def _read(self, word: str, end: int) -> bool:
        """Read a word, and return whether it is a secret itself."""
        if self._named and self._object in _ACCOUNTS:
            return self._found(end)
        if not self._verb or word == "SELECT":
            self._verb = word
        elif not self._object and word not in _SKIPPED_BEFORE_OBJECT:
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
_SKIPPED_BEFORE_OBJECT = frozenset({"EXISTS", "IF", "NOT", "OR", "PERSISTENT", "REPLACE", "TEMP", "TEMPORARY"})
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


def may_hold_secrets(sql: str) -> bool:
    """Return whether there may be secrets; most texts have not even a part of the words that announce them."""
    lowered = sql.lower()
    return any(part in lowered for part in _PARTS_AHEAD) and bool(_SECRETS_AHEAD.search(lowered))


_MAY_PRECEDE_SECRET = frozenset("=(")
_ENDS_SECRET = frozenset(",;)")
_BRACKET_DEPTHS = {"[": 1, "{": 1, "]": -1, "}": -1}
_NO_SECRETS = frozenset({"PROVIDER", "TYPE"})
_CONSTANTS = frozenset({"DEFAULT", "FALSE", "NULL", "OFF", "ON", "TRUE"})
