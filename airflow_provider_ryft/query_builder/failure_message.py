"""Why a statement failed, with the engine's message made safe to send.

It is imported when a statement has failed: most tasks need neither this nor what it imports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_ryft.failures.classify import failure_info
from airflow_provider_ryft.ingest.fields import FAILURE
from airflow_provider_ryft.ingest.query import FailureInfo
from airflow_provider_ryft.query_builder.statement_text import WITHHELD, StatementText, shorten
from airflow_provider_ryft.redaction.error_messages import is_raised_by_sql_code, remove_literals, strip_quoted_values
from airflow_provider_ryft.redaction.known_secrets import MaskingError
from airflow_provider_ryft.redaction.redact import redact_prefix
from airflow_provider_ryft.settings import Settings

RAISED_BY_SQL = "(withheld: what SQL code says when it raises an exception itself)"

MAX_MESSAGE_LENGTH = 2_000

_MAX_REDACTED_LENGTH = 1 << 16
_MIN_QUOTED_LENGTH = 12


def describe_failure(
    error: BaseException, text: StatementText, settings: Settings, omit: Callable[[str, Exception], None]
) -> Mapping[str, Any]:
    """Return the attributes of what is known of a failure.

    :param error: what the statement failed with
    :param text: the statement's text, which the engine's message may quote
    :param settings: the options of ``[ryft]``
    :param omit: counts and logs a part that cannot be read
    """
    failure = failure_info(error)
    attributes = {attribute: getattr(failure, attribute) for attribute in FAILURE}
    try:
        message = failure_message(failure, text, settings)
    except Exception as fault:
        omit("failure message", fault)
        message = WITHHELD
    return {**attributes, "failure_message": message}


def failure_message(failure: FailureInfo, text: StatementText, settings: Settings) -> str | None:
    """Return what an engine said, without what it should not have quoted of the statement and its data.

    :raises MaskingError: if it cannot be made safe
    """
    if not failure.failure_message:
        return None
    if settings.mask_literals and is_raised_by_sql_code(failure):
        return RAISED_BY_SQL
    message = redact_prefix(failure.failure_message, _MAX_REDACTED_LENGTH).text
    if text.redacted and len(text.redacted) >= _MIN_QUOTED_LENGTH:
        message = message.replace(text.redacted, "(the statement)")
    if text.hides_parts:
        message = strip_quoted_values(message)
    message = shorten(message, MAX_MESSAGE_LENGTH)
    if not settings.mask_literals:
        return message
    if len(text.original) > settings.max_query_length:
        raise MaskingError("the literals of a text that is cut are not known")
    from airflow_provider_ryft.sql.masking import literals

    return remove_literals(message, literals(text.original, text.dialect))
