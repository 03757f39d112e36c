"""A service's own description of itself, its examples whole: the framework leaves out of them whatever is null."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

EXAMPLES = ("example", "examples")


class Described(FastAPI):
    """An app whose description shows the examples of these routers as they were written."""

    described: Iterable[APIRouter] = ()

    def openapi(self) -> dict[str, Any]:
        """The description, made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            for router in self.described:
                for route in router.routes:
                    if isinstance(route, APIRoute) and route.path_format in document["paths"]:
                        _put_back(document["paths"][route.path_format], route)
        whole: dict[str, Any] = self.openapi_schema or {}
        return whole


def _put_back(item: dict[str, Any], route: APIRoute) -> None:
    for method in (route.methods or set()) & {name.upper() for name in item}:
        operation = item[method.lower()]
        for status, answer in route.responses.items():
            for content, media_type, name, value in _shown(answer, operation["responses"].get(str(status), {})):
                content[media_type][name] = value
        body = (route.openapi_extra or {}).get("requestBody", {})
        for content, media_type, name, value in _shown(body, operation.get("requestBody", {})):
            content[media_type][name] = value


def _shown(written: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str, str, Any]]:
    """Each example that was written: the content it belongs into, by which media type and name, and what it is."""
    content = told.get("content", {})
    for media_type, media in written.get("content", {}).items():
        for name in EXAMPLES:
            if name in media and media_type in content:
                yield content, media_type, name, media[name]
