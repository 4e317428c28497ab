"""An Airflow connection to Ryft's Ingest API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_ryft.exceptions import ConfigurationError
from airflow_provider_ryft.get_provider_info import get_provider_info
from airflow_provider_ryft.ingest.client import DEFAULT_BASE_URL, IngestClient
from airflow_provider_ryft.ingest.network_errors import NoResponseError
from airflow_provider_ryft.ingest.query import Query
from airflow_provider_ryft.ingest.responses import Response, ResponseClass, classify_status, explain
from airflow_provider_ryft.results import PushResult
from airflow_provider_ryft.settings import NotAllowedError, flag, number, suggestion

_TEST_SECONDS = 15.0


class RyftIngestHook(BaseHook):
    """Pushes queries to Ryft with the token of an Airflow connection.

    The connection's password is the ingest token. Its host is the API's address (scheme, port and path are optional;
    ``https://ingest.ryft.io`` if empty). Its extra may hold ``connect_timeout``, ``read_timeout``, ``deadline``,
    ``max_batch_count``, ``max_batch_bytes``, ``verify``, ``proxies`` and ``allow_http``, which mean what they mean to
    :class:`~airflow_provider_ryft.ingest.client.IngestClient`.

    :param ryft_conn_id: the connection; it is looked up when it is first needed
    """

    conn_name_attr = "ryft_conn_id"
    default_conn_name = "ryft_default"
    conn_type = "ryft"
    hook_name = "Ryft"

    def __init__(self, ryft_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.ryft_conn_id = ryft_conn_id
        self._client: IngestClient | None = None

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the changes to Airflow 2.11's connection form; 3.x reads the provider's metadata itself."""
        behaviour = get_provider_info()["connection-types"][0]["ui-field-behaviour"]
        return {name.replace("-", "_"): value for name, value in behaviour.items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the additions to Airflow 2.11's connection form; 3.x reads the provider's metadata itself."""
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
        from flask_babel import lazy_gettext
        from wtforms import BooleanField, StringField

        def widget(field: Mapping[str, Any]) -> Any:
            label = lazy_gettext(field["label"])
            if "boolean" in field["schema"]["type"]:
                return BooleanField(label, description=field["description"])
            return StringField(label, description=field["description"], widget=BS3TextFieldWidget())

        fields = get_provider_info()["connection-types"][0]["conn-fields"]
        return {name: widget(field) for name, field in fields.items()}

    def get_conn(self) -> IngestClient:
        """Return the client of the connection; it is made once.

        :raises ConfigurationError: for a connection that can't be used; the message says what is wrong with it
        """
        if self._client is None:
            connection = self.get_connection(self.ryft_conn_id)
            try:
                self._client = IngestClient(
                    connection.password or "",
                    base_url=_base_url(connection.host, connection.port, connection.schema),
                    **_client_options(connection.extra_dejson),
                )
            except ConfigurationError as error:
                raise ConfigurationError(f"Connection {self.ryft_conn_id!r}: {error}") from None
        return self._client

    def push_queries(self, queries: Iterable[Query]) -> PushResult:
        """Deliver queries; see :meth:`IngestClient.push() <airflow_provider_ryft.ingest.client.IngestClient.push>`.

        :param queries: any iterable; it is read batch by batch
        :raises DeliveryError: if some could not be delivered
        """
        return self.get_conn().push(queries)

    def test_connection(self) -> tuple[bool, str]:
        """Return whether the server accepts the token, and what to do if not; it is asked with an empty batch."""
        try:
            client = self.get_conn()
        except Exception as error:  # no connection, a bad option: Airflow's form shows the sentence
            return False, str(error)
        try:
            answer = client.check(min(client.limits.deadline, _TEST_SECONDS))
        except NoResponseError as error:
            return False, f"No answer from {client.base_url}: {error}. {_ADVICE[error.kind]}"
        return _judgement(answer, client.base_url)


_ADVICE = {
    "connection": "Check the address and its port, and that this machine may connect to it.",
    "name": "Check the host's name, and that this machine can look it up.",
    "proxy": "Check the proxy in the connection's extra, or in the environment.",
    "timeout": "Check the address, and that no firewall is between (Ryft's API is at port 443).",
    "tls": "Check that the address is one of https, and give the CA bundle as 'verify' if its certificate is your own.",
}


def _judgement(answer: Response, base_url: str) -> tuple[bool, str]:
    kind = classify_status(answer.status)
    said = f" It says: {answer.message}" if answer.message else ""
    if answer.is_html and kind is not ResponseClass.MISCONFIGURED:
        return False, explain(answer, base_url)
    if kind is ResponseClass.ACCEPTED:
        return True, f"{base_url} accepted the token."
    if kind is ResponseClass.REFUSED:
        return True, (
            f"{base_url} was reached and did not refuse the token, but would not take an empty batch ({answer.status})."
            f" Push one query to be sure.{said}"
        )
    if kind is ResponseClass.LATER:
        return False, f"{base_url} cannot take queries now ({answer.status}). Try again later.{said}"
    return False, explain(answer, base_url)


def _base_url(host: str | None, port: int | None, schema: str | None) -> str:
    """Return the address that the parts of a connection make.

    A connection given as URI has its path in ``schema``; there and in the UI of other HTTP connections ``schema`` may
    also be the scheme.
    """
    text = (host or "").strip() or DEFAULT_BASE_URL
    scheme, path = (schema, "") if schema in ("http", "https") else ("https", schema or "")
    address = urlsplit(text if "://" in text else f"{scheme}://{text}")
    try:
        in_host = address.port
    except ValueError:
        return text  # the client says what is wrong with it
    if port and in_host and port != in_host:
        raise ConfigurationError(f"The host names port {in_host}, and the port is {port}. Give one of them only.")
    if port and not in_host:
        address = address._replace(netloc=f"{address.netloc.rstrip(':')}:{port}")
    if path:
        address = address._replace(path=f"{address.path.rstrip('/')}/{path.lstrip('/')}")
    return address.geturl()


def _client_options(extra: Mapping[str, Any]) -> dict[str, Any]:
    """Read the connection's extra; an empty value is one that was not given."""
    options = {}
    for name, value in extra.items():
        if name not in _OPTIONS:
            raise ConfigurationError(f"The extra has an unknown {name!r}; {suggestion(name, _OPTIONS)}")
        if value is None or value == "":
            continue
        try:
            options[name] = _OPTIONS[name](value)
        except NotAllowedError as error:
            shown = f", not {value!r}" if name != "proxies" else ""  # a proxy's address may hold a password
            raise ConfigurationError(f"{name} in the extra must be {error.allowed}{shown}") from None
    return options


def _whole(value: Any) -> int:
    if not float(value).is_integer():
        raise ValueError
    return int(float(value))


def _flag(value: object) -> bool:
    return flag(value, {"true": True, "false": False})


def _verify(value: object) -> bool | str:
    """Return the path of a CA bundle, or whether certificates are verified."""
    if isinstance(value, str) and value.strip().lower() not in ("true", "false"):
        return value
    return _flag(value)


def _proxies(value: object) -> dict[str, str]:
    """Return proxies by scheme: from an object, from JSON text, or from one address for both schemes."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if isinstance(value, str):
        return {"http": value, "https": value}
    if isinstance(value, dict) and all(isinstance(part, str) for pair in value.items() for part in pair):
        return value
    raise NotAllowedError("an address, or an object of addresses by scheme")


_OPTIONS: dict[str, Callable[[object], Any]] = {
    **dict.fromkeys(("connect_timeout", "read_timeout", "deadline"), number(float, "a number")),
    **dict.fromkeys(("max_batch_count", "max_batch_bytes"), number(_whole, "a whole number")),
    "verify": _verify,
    "proxies": _proxies,
    "allow_http": _flag,
}
