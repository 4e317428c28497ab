"""The provider's metadata for Airflow.

Airflow reads this while it is still reading its own configuration (that is how options come to have defaults), so it
imports nothing. What it repeats of the rest of the package is tested to agree.
"""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, as Airflow's ``provider_info.schema.json`` has it."""
    return {
        "package-name": "airflow-provider-ryft",
        "name": "Ryft",
        "description": "Reports the SQL that Airflow runs to `Ryft <https://ryft.io>`__.",
        "integrations": [{"integration-name": "Ryft", "external-doc-url": "https://ryft.io", "tags": ["service"]}],
        "hooks": [{"integration-name": "Ryft", "python-modules": ["airflow_provider_ryft.hooks.ryft"]}],
        "operators": [{"integration-name": "Ryft", "python-modules": ["airflow_provider_ryft.operators.ryft"]}],
        "cli": ["airflow_provider_ryft.cli.definition.airflow_commands"],
        "connection-types": [
            {
                "connection-type": "ryft",
                "hook-class-name": "airflow_provider_ryft.hooks.ryft.RyftIngestHook",
                "hook-name": "Ryft",
                "ui-field-behaviour": {
                    "hidden-fields": ["login", "schema"],
                    "relabeling": {"host": "Address", "password": "Ingest token"},
                    "placeholders": {"host": "https://ingest.ryft.io", "password": "the token that Ryft gave you"},
                },
                "conn-fields": {
                    "connect_timeout": {
                        "label": "Connect timeout",
                        "description": "Seconds for opening a connection; 5 if empty.",
                        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0},
                    },
                    "read_timeout": {
                        "label": "Read timeout",
                        "description": "Seconds between two bytes of an answer; 30 if empty.",
                        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0},
                    },
                    "deadline": {
                        "label": "Deadline",
                        "description": "Seconds for one batch, with its retries and waits; 60 if empty.",
                        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0},
                    },
                    "max_batch_count": {
                        "label": "Queries in a batch",
                        "description": "Queries in one request; 500 if empty.",
                        "schema": {"type": ["integer", "null"], "minimum": 1},
                    },
                    "max_batch_bytes": {
                        "label": "Bytes in a batch",
                        "description": "Bytes of one request; 1048576 if empty.",
                        "schema": {"type": ["integer", "null"], "minimum": 1},
                    },
                    "verify": {
                        "label": "Verify",
                        "description": "Path of a CA bundle, or false to trust any certificate; true if empty.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "proxies": {
                        "label": "Proxy",
                        "description": "Address of a proxy, or JSON of proxies by scheme; the environment's if empty.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "allow_http": {
                        "label": "Allow http",
                        "description": "Send the token over plain http to other machines, where others can read it.",
                        "schema": {"type": ["boolean", "null"], "default": False},
                    },
                },
            }
        ],
        "config": {
            "ryft": {
                "description": "How the queries of Airflow's tasks are reported to Ryft.",
                "options": {
                    "disabled": _option(
                        "Report nothing: no listener is registered and nothing is observed.",
                        kind="boolean",
                        default="False",
                    ),
                    "conn_id": _option(
                        "The Airflow connection of type ``ryft`` that holds the ingest token.",
                        default="ryft_default",
                        example="ryft_prod",
                    ),
                    "tags": _option(
                        "Tags for every query, in addition to those of its DAG and task: a JSON list, or texts "
                        "separated by commas.",
                        example="env:prod, team:data",
                    ),
                    "contexts": _option(
                        "The catalog, schema and user to report, by connection id or connection type, as JSON. What "
                        "is given here goes before what the connection says; null leaves the field out.",
                        example='{"trino_default": {"catalog": "lake", "schema": "gold", "user": "etl"}}',
                    ),
                    "mask_literals": _option(
                        "Replace the literals of every statement, and what its failure message quotes, before it "
                        "leaves.",
                        kind="boolean",
                        default="False",
                    ),
                    "max_query_length": _option(
                        "Characters of a statement that are reported; the rest is cut off, and the query is tagged as "
                        "truncated.",
                        kind="integer",
                        default="1048576",
                        example="100000",
                    ),
                    "exclude_dags": _option(
                        "DAG ids whose queries are not reported: patterns such as ``test_*``, separated by commas.",
                        example="test_*, sandbox",
                    ),
                    "exclude_operators": _option(
                        "Operators whose queries are not reported: patterns of the class name, its full path, or a "
                        "decorator's name, separated by commas.",
                        example="BranchSQLOperator, my_package.*",
                    ),
                    "exclude_connections": _option(
                        "Connection ids whose queries are not reported: patterns separated by commas.",
                        example="hr_*, payroll",
                    ),
                    "exclude_connection_types": _option(
                        "Connection types whose queries are not reported: patterns separated by commas.",
                        example="sqlite, duckdb",
                    ),
                    "selective_enable": _option(
                        "Report only DAGs and tasks that were given to ``enable_ryft`` in their code.",
                        kind="boolean",
                        default="False",
                    ),
                    "outbox_path": _option(
                        "Where queries wait that are not delivered yet: a folder, or, where disks do not last, a "
                        "place in an object store such as ``s3://conn_id@bucket/ryft``; ``ryft-outbox`` in Airflow's "
                        "home if empty.",
                        example="/var/lib/airflow/ryft-outbox",
                    ),
                    "outbox_max_bytes": _option(
                        "Bytes that the outbox may hold; the oldest queries are dropped first.",
                        kind="integer",
                        default="268435456",
                    ),
                    "outbox_max_age": _option(
                        "Seconds after which an undelivered query is dropped.", kind="float", default="604800"
                    ),
                    "delivery_timeout": _option(
                        "Seconds that the end of a task may take for delivering its queries; at most 15.",
                        kind="float",
                        default="4",
                    ),
                    "delivery": _option(
                        "``inline`` delivers at the end of each task; ``outbox`` leaves it to ``airflow ryft outbox "
                        "ship`` or a DAG.",
                        default="inline",
                        example="outbox",
                    ),
                },
            }
        },
    }


def _option(description: str, *, kind: str = "string", default: str = "", example: str | None = None) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": kind,
        "example": example,
        "default": default,
        "sensitive": False,
    }
