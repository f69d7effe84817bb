"""API Gateway: a path's ANY method, and calls that nobody signs, to the APIs of any account."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Any

import ministack.app
from ministack.core.responses import request_scope
from ministack.services import apigateway, apigateway_v1

from helpers.localaws import webpages

Handler = Callable[..., Awaitable[Any]]

# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-any-method.html
ANY_METHOD = "x-amazon-apigateway-any-method"


def install() -> None:
    """Import ANY methods of OpenAPI documents, which SAM writes; find an API's account."""
    apigateway_v1._OPENAPI_HTTP_METHODS.add("any")
    original = apigateway_v1._import_path_item

    def import_path_item(api_id: str, path: str, item: dict[str, Any], *rest: Any) -> None:
        named = {"any" if key == ANY_METHOD else key: value for key, value in item.items()}
        original(api_id, path, named, *rest)

    apigateway_v1._import_path_item = import_path_item
    ministack.app._handle_execute_api_request = _at_home(ministack.app._handle_execute_api_request)


def _at_home(handle: Handler) -> Handler:
    """Wrap what answers a call to a deployed API: who opens a link has no account.

    MiniStack would look for the API in the server's own account. Where it is not there, a person
    is told so: MiniStack would ask for a signature.
    """

    async def handling(
        host: str, path: str, method: str, headers: dict[str, str], *rest: Any, **named: Any
    ) -> Any:
        address = ministack.app._parse_execute_api_url(host, path)
        home = _home(address[0]) if address else None
        if address and home is None and "authorization" not in headers:
            gone = webpages.gone()
            return gone.status, {"Content-Type": "text/html; charset=utf-8"}, gone.body
        with request_scope(*home) if home else nullcontext():
            return await handle(host, path, method, headers, *rest, **named)

    return handling


def _home(api_id: str) -> tuple[str, str] | None:
    """Return the account and the region of an API, None where there is none of that id."""
    for apis in (apigateway_v1._rest_apis, apigateway._apis):
        for account, region, known in list(apis.to_dict()):
            if known == api_id:
                return account, region
    return None
