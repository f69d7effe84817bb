"""API Gateway: a path's ANY method, which SAM writes and MiniStack's import leaves out."""

from __future__ import annotations

from typing import Any

from ministack.services import apigateway_v1

# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-any-method.html
ANY_METHOD = "x-amazon-apigateway-any-method"


def install() -> None:
    """Import ANY methods of OpenAPI documents."""
    apigateway_v1._OPENAPI_HTTP_METHODS.add("any")
    original = apigateway_v1._import_path_item

    def import_path_item(api_id: str, path: str, item: dict[str, Any], *rest: Any) -> None:
        named = {"any" if key == ANY_METHOD else key: value for key, value in item.items()}
        original(api_id, path, named, *rest)

    apigateway_v1._import_path_item = import_path_item
