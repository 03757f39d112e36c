"""What is written into the audit of a request that went through, and what is told of it.

    write        something was changed in a service
    export       every cell of a measure, or the rows of a submission, were taken away
    read.exact   figures were read by somebody who sees them without disclosure control

Of a read that was answered the measure and the organisation are told, which the service then knows; of a refused one
only the address as the API documents it, because anything may stand in what a caller asks for.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from gateway.routes import FIGURES, GATEWAY, Row
from shared.principal import Principal

EXPORTS: Final = frozenset(
    {
        "/v1/exports/{measure}",
        "/v1/submissions/{id}/original",
        "/v1/submissions/{id}/annotated",
        "/v1/submissions/{id}/rejected",
        "/v1/submissions/{id}/faults",
    }
)
PAGES: Final = "/v1/pages/"
ANSWERED: Final = frozenset({HTTPStatus.OK, HTTPStatus.NOT_MODIFIED})
SUBJECTS: Final = frozenset({"measure", "organisation", "within", "code", "programme", "id", "period", "stratum"})
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_.=*-]{1,64}|\d{4}(-\d{2}){0,2}")
"""What a name can be. No number of ten digits is one: that might be an NHS number."""


def event_of(row: Row, need: str, method: str, status: int, principal: Principal) -> str | None:
    """What to write into the audit of a request with this answer; None for nothing.

    What changes the gateway's own database is there already, written in the transaction that changed it.
    """
    if need.endswith(":write") and row.service != GATEWAY:
        return "write"
    if method != "GET" or status not in ANSWERED:
        return None
    if row.path in EXPORTS:
        return "export"
    figures = need == FIGURES or (row.path.startswith(PAGES) and principal.may(FIGURES))
    return "read.exact" if figures and principal.audience != "public" else None


def subjects(row: Row, path: str, query: str) -> Mapping[str, str]:
    """What an answered read was about: names from its path and query, such as `{"measure": ..., "organisation": ...}`.

    >>> subjects(Row("/v1/charts/{measure}/{organisation}", "measures"), "/v1/charts/mn-preterm/RGT", "from=2026-01")
    {'measure': 'mn-preterm', 'organisation': 'RGT'}
    """
    in_path = [
        (name[1:-1], step) for name, step in zip(row.path.split("/"), path.split("/"), strict=False) if name[:1] == "{"
    ]
    told = [*in_path, *parse_qsl(query, errors="replace")]
    return {name: value for name, value in told if name in SUBJECTS and _NAME.fullmatch(value)}
