"""A connection of which only what an operator says is known."""

from __future__ import annotations

from typing import NamedTuple


class DeclaredConnection(NamedTuple):
    """What an operator says of its connection, in place of the connection, which it may not hold.

    :param conn_type: Airflow's connection type, which is also the SQL dialect
    :param catalog: the catalog that the operator names
    :param schema: the schema that the operator names
    :param user: the user that the operator names
    """

    conn_type: str | None = None
    catalog: str | None = None
    schema: str | None = None
    user: str | None = None
