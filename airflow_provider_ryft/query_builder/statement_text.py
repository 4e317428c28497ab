"""The text of a statement as it is reported: redacted, masked and truncated, with its query type."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_ryft.ingest.fields import QueryType
from airflow_provider_ryft.ingest.query_template import json_text
from airflow_provider_ryft.redaction.known_secrets import KnownSecrets, MaskingError
from airflow_provider_ryft.redaction.redact import RedactedPrefix, redact_prefix
from airflow_provider_ryft.settings import Settings
from airflow_provider_ryft.sql.first_word import is_several
from airflow_provider_ryft.sql.query_type import query_type

WITHHELD = "/* withheld by airflow_provider_ryft: it could not be checked for secrets */"

_MAX_SEARCHED_LENGTH = 1 << 24

# The values of a large INSERT may well hold a semicolon, and what follows them is hardly another kind of change.
_NEVER_OUTRANKED = (QueryType.INSERT, QueryType.MERGE)


class StatementText:
    """The text of a statement, ready to leave.

    Neither this nor ``ConnectionDetails`` is a named tuple: to define one takes 0.1 ms of a first statement.

    :param original: the text as it was executed
    :param dialect: the dialect that it was read in
    :param secrets: those that were known
    :param query_type: what kind of statement it is
    """

    def __init__(self, original: str, dialect: str | None, secrets: KnownSecrets, query_type: QueryType | None) -> None:
        self.original = original
        self.dialect = dialect
        self.secrets = secrets
        self.query_type = query_type
        self.json = ""  # what is reported of it, as JSON
        self.redacted: str | None = None  # the text without secrets; ``None`` if it could not be checked
        self.hides_parts = True  # whether an error message that quotes the text could show more than is reported
        self.tags: tuple[str, ...] = ()  # what was done to it

    def is_current(self, original: str, dialect: str | None, secrets: KnownSecrets) -> bool:
        """Return whether it would be the same if it was made now; one that could not be checked is tried again."""
        is_same = self.secrets is secrets and self.original == original and self.dialect == dialect
        return is_same and self.redacted is not None


class StatementTexts:
    """Makes the texts of statements ready to leave.

    :param settings: the options of ``[ryft]``
    :param omit: counts and logs a part that cannot be read
    """

    def __init__(self, settings: Settings, omit: Callable[[str, Exception], None]) -> None:
        self._max_length = settings.max_query_length
        self._mask_literals = settings.mask_literals
        self._omit = omit

    def prepare(self, text: str, dialect: str | None, secrets: KnownSecrets) -> StatementText:
        """Redact and mask a text, and then cut it, so that nothing survives by being cut in half.

        :param text: as it was executed
        :param dialect: the connection type that says which SQL it is
        :param secrets: those that are known now
        """
        found = StatementText(text, dialect, secrets, self._query_type(text, dialect))
        try:
            prefix = redact_prefix(text, self._max_length, secrets)
            reported = _without_literals(prefix, dialect) if self._mask_literals else prefix.text
        except Exception as error:
            self._omit("text", error)
            found.json, found.tags = json_text(WITHHELD), ("query_text:withheld",)
            return found
        is_cut = len(text) > self._max_length
        if is_cut:
            allowed = f"it has {len(text)} characters, {self._max_length} are allowed"
            mark = f"\n/* cut off by airflow_provider_ryft: {allowed} */"
            reported = reported[: self._max_length - len(mark)] + mark
            found.tags = ("query_text:truncated",)
        found.json, found.redacted = json_text(reported), prefix.text
        found.hides_parts = self._mask_literals or is_cut or prefix.had_secret
        return found

    def _query_type(self, text: str, dialect: str | None) -> QueryType | None:
        """Return the type of a text; of one that is cut, only if what is cut off can hardly change it."""
        try:
            if len(text) <= self._max_length:
                return query_type(text, dialect)
            kind = query_type(text[: self._max_length], dialect)
            return kind if kind in _NEVER_OUTRANKED or _is_one_query(text, kind) else None
        except Exception as error:
            self._omit("query type", error)
            return None


def _without_literals(prefix: RedactedPrefix, dialect: str | None) -> str:
    """Mask the literals of a text that has no secrets any more.

    :raises MaskingError: if a secret took a quote with it, after which code and literals cannot be told apart
    """
    if prefix.removed_delimiters:
        raise MaskingError("a secret has a quote in it")
    from airflow_provider_ryft.sql.masking import mask_literals

    return mask_literals(prefix.text, dialect)


def _is_one_query(text: str, kind: QueryType | None) -> bool:
    """Return whether a text is a single statement, and no ``SELECT ... INTO``, as far as a quick look shows."""
    if len(text) > _MAX_SEARCHED_LENGTH or is_several(text):
        return False
    return kind is not QueryType.SELECT or "into" not in text.lower()


def shorten(text: str, max_length: int) -> str:
    """Cut a text that is too long, and put an ellipsis at its end."""
    return text if len(text) <= max_length else f"{text[: max_length - 1]}…"
