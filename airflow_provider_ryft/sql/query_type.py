"""The type of a statement, as Trino has it.

Trino maps each of its statements to a type, with two rules that surprise: ``CREATE TABLE ... AS SELECT`` and ``REFRESH
MATERIALIZED VIEW`` insert, and ``EXPLAIN ANALYZE`` has the type of what it analyses. Transactions, settings and
``CALL`` are ``DATA_DEFINITION``. Statements of other dialects have the type of the Trino statement that does the same;
what has no counterpart there, such as ``LOCK TABLE`` or an anonymous block, has none.
"""

from __future__ import annotations

from airflow_provider_ryft.ingest.fields import QueryType
from airflow_provider_ryft.sql.first_word import settled_by_first_word

MAX_TOKENS = 50_000
"""How much of a text is read; a type that is not settled by then is none."""


def query_type(sql: str, dialect: str | None = None) -> QueryType | None:
    """Return the type of a statement, or ``None`` if Trino's mapping has none for it.

    Of several statements in one text, the one that changes most decides: ``MERGE``, ``INSERT``, ``UPDATE``, ``DELETE``,
    ``ALTER TABLE EXECUTE``, ``ANALYZE``, definitions, queries, and last settings and transactions. Where dialects read
    a text differently, and the dialect is not known, the type is the one on which they agree.

    No more than :data:`MAX_TOKENS` tokens are read, and of a single statement only as many as it takes.

    :param dialect: an Airflow connection type, such as ``postgres``; ``None`` if it is not known
    """
    name = (dialect or "").lower()
    settled = settled_by_first_word(sql, name)
    if settled is not None:
        return settled
    # Most processes never need these.
    from airflow_provider_ryft.sql.dialects import possible_rules
    from airflow_provider_ryft.sql.statement_rules import type_of

    found = {type_of(sql, rules, name, MAX_TOKENS) for rules in possible_rules(sql, dialect)}
    return found.pop() if len(found) == 1 else None
