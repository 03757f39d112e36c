"""THE TABLE: every public address, the service behind it, and the scope each method needs. What is not here is a 404.

A row is `Row(path, service, GET=scope, ...)`. `{name}` stands for one step of a path. Instead of a scope:
`PUBLIC` lets anyone in, `ANY_CLIENT` any client that shows a token, `OPERATIONS` only the operators' networks.
The services check scopes again; which organisations a caller may see is decided there, where the data is.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

from gateway.problems import AmbiguousAddress, MethodNotAllowed
from shared.problems import NotFound

GATEWAY, INGEST, PROGRAMMES, MEASURES = "gateway", "ingest", "programmes", "measures"
SERVICES: Final = frozenset({INGEST, PROGRAMMES, MEASURES})
PUBLIC, ANY_CLIENT, OPERATIONS = "public", "any client", "operations"
READ, WRITE, FIGURES = "programmes:read", "programmes:write", "measures:read"
MEGABYTE = 1_000_000
STREAM = "/v1/stream"


class Row:
    """One address: its path, its service, the need of each method, and the limits of what it takes and how long."""

    __slots__ = ("largest_body", "needs", "path", "seconds", "service")

    def __init__(
        self, path: str, service: str, /, *, largest_body: int | None = None, seconds: float = 60, **needs: str
    ) -> None:
        self.path, self.service, self.needs = path, service, needs
        self.largest_body = largest_body or (MEGABYTE if service == GATEWAY else 32 * MEGABYTE)
        self.seconds = seconds

    def need(self, method: str) -> str | None:
        """What a method needs; None where it is not taken. HEAD is taken like GET, but of what never ends."""
        return self.needs.get("GET" if method == "HEAD" and self.path != STREAM else method)

    def __repr__(self) -> str:
        return f"Row({self.path!r}, {self.service!r}, {self.needs})"


def _reads(service: str, scope: str, *paths: str) -> Iterable[Row]:
    return (Row(path, service, GET=scope) for path in paths)


TABLE: Final[tuple[Row, ...]] = (
    # The gateway's own
    *_reads(GATEWAY, PUBLIC, "/", "/docs", "/openapi.json", "/asyncapi.json", "/problems", "/problems/{slug}"),
    *_reads(GATEWAY, PUBLIC, "/.well-known/jwks.json", "/.well-known/oauth-authorization-server", "/health/live"),
    *_reads(GATEWAY, OPERATIONS, "/health/ready", "/metrics"),
    Row("/oauth2/token", GATEWAY, POST=PUBLIC),
    Row("/v1/clients", GATEWAY, GET="clients:read", POST="clients:write"),
    Row("/v1/clients/me", GATEWAY, GET=ANY_CLIENT),
    Row("/v1/clients/{client_id}", GATEWAY, GET="clients:read"),
    Row("/v1/clients/{client_id}/rotate", GATEWAY, POST="clients:write"),
    Row("/v1/clients/{client_id}/revoke", GATEWAY, POST="clients:write"),
    Row("/v1/audit", GATEWAY, GET="audit:read"),
    Row(STREAM, GATEWAY, GET=ANY_CLIENT),
    Row("/v1/webhooks", GATEWAY, GET="webhooks:read", POST="webhooks:write"),
    Row("/v1/webhooks/{id}", GATEWAY, GET="webhooks:read", PATCH="webhooks:write", DELETE="webhooks:write"),
    *_reads(GATEWAY, "webhooks:read", "/v1/webhooks/{id}/deliveries"),
    Row("/v1/webhooks/{id}/rotate", GATEWAY, POST="webhooks:write"),
    Row("/v1/webhooks/{id}/replay", GATEWAY, POST="webhooks:write"),
    Row("/v1/webhooks/{id}/test", GATEWAY, POST="webhooks:write"),
    Row("/v1/pages/organisations/{code}", GATEWAY, GET=READ),
    Row("/v1/pages/programmes/{programme}", GATEWAY, GET=READ),
    Row("/v1/conformance", GATEWAY, GET=ANY_CLIENT),
    # Rows in: submissions, returns, who has sent what
    Row(
        "/v1/submissions",
        INGEST,
        GET="submissions:read",
        POST="submissions:write",
        largest_body=1000 * MEGABYTE,
        seconds=600,
    ),
    Row("/v1/submissions/{id}", INGEST, GET="submissions:read", DELETE="submissions:write"),
    *_reads(INGEST, "submissions:read", "/v1/submissions/{id}/faults", "/v1/submissions/{id}/annotated"),
    *_reads(INGEST, "submissions:read", "/v1/submissions/{id}/rejected", "/v1/submissions/{id}/original"),
    *_reads(INGEST, "submissions:read", "/v1/returns", "/v1/calendar", "/v1/completeness", "/v1/reminders"),
    *_reads(INGEST, "submissions:read", "/v1/submissions/{id}/verify", "/v1/quarantine"),
    Row("/v1/quarantine/{id}/{line}", INGEST, GET="submissions:read", PATCH="submissions:write"),
    Row("/v1/quarantine/{id}/{line}/replay", INGEST, POST="submissions:write"),
    Row("/v1/quarantine/{id}/{line}/waive", INGEST, POST="submissions:write"),
    # What is measured, by whom, and why
    Row("/v1/programmes", PROGRAMMES, GET=READ, POST=WRITE),
    Row("/v1/programmes/{id}", PROGRAMMES, GET=READ, PUT=WRITE),
    Row("/v1/measures", PROGRAMMES, GET=READ, POST=WRITE),
    Row("/v1/measures/{id}/draft", PROGRAMMES, GET=READ, PUT=WRITE, DELETE=WRITE),
    Row("/v1/measures/{id}/publish", PROGRAMMES, POST=WRITE),
    Row("/v1/measures/{id}/retire", PROGRAMMES, POST=WRITE),
    *_reads(
        PROGRAMMES, READ, "/v1/measures/{id}", "/v1/measures/{id}/versions", "/v1/measures/{id}/versions/{version}"
    ),
    Row("/v1/targets", PROGRAMMES, GET=READ, POST=WRITE),
    Row("/v1/targets/{id}", PROGRAMMES, GET=READ, PUT=WRITE),
    Row("/v1/organisations", PROGRAMMES, GET=READ, POST=WRITE),
    Row("/v1/organisations/{code}", PROGRAMMES, GET=READ, PUT=WRITE),
    Row("/v1/enrolments", PROGRAMMES, GET=READ, POST=WRITE),
    Row("/v1/enrolments/{id}", PROGRAMMES, GET=READ, PUT=WRITE),
    Row("/v1/annotations", PROGRAMMES, GET=READ, POST=WRITE),
    Row("/v1/annotations/{id}", PROGRAMMES, GET=READ, PUT=WRITE, DELETE=WRITE),
    Row("/v1/annotations/{id}/accept", PROGRAMMES, POST=WRITE),
    *_reads(PROGRAMMES, READ, "/v1/programmes/{id}/driver-diagram", "/v1/programmes/{id}/adoption"),
    *_reads(PROGRAMMES, READ, "/v1/feeds", "/v1/feeds/{feed}", "/v1/feeds/{feed}/schema"),
    *_reads(PROGRAMMES, READ, "/v1/feeds/{feed}/table-schema", "/v1/feeds/{feed}/guide"),
    *_reads(PROGRAMMES, READ, "/v1/feeds/{feed}/template.csv", "/v1/feeds/{feed}/template.xlsx"),
    *_reads(PROGRAMMES, READ, "/v1/organisations/{code}/ancestors", "/v1/organisations/{code}/members"),
    *_reads(PROGRAMMES, READ, "/v1/organisations/{code}/successors", "/v1/changes"),
    # Figures out
    Row("/v1/measures/{id}/preview", MEASURES, POST=WRITE),
    *_reads(MEASURES, FIGURES, "/v1/series", "/v1/charts/{measure}/{organisation}", "/v1/funnels/{measure}"),
    *_reads(MEASURES, FIGURES, "/v1/inequalities/{measure}/{organisation}", "/v1/matrix", "/v1/signals"),
    *_reads(MEASURES, FIGURES, "/v1/targets/{id}/progress", "/v1/explain", "/v1/exports/{measure}"),
    Row("/v1/statistics/spc", MEASURES, POST=FIGURES),
    Row("/v1/statistics/intervals", MEASURES, POST=FIGURES),
    Row("/v1/statistics/funnel", MEASURES, POST=FIGURES),
    Row("/v1/statistics/inequality", MEASURES, POST=FIGURES),
    Row("/v1/statistics/cusum", MEASURES, POST=FIGURES),
)

NOT_SCOPES: Final = frozenset({PUBLIC, ANY_CLIENT, OPERATIONS})
SCOPES: Final = frozenset(need for row in TABLE for need in row.needs.values()) - NOT_SCOPES


class Found(NamedTuple):
    """Where a request goes and what it needs."""

    row: Row
    need: str


class Routes:
    """A table made quick to search. Immutable: a changed table is a new object, put in place by one assignment."""

    def __init__(self, rows: Iterable[Row] = TABLE) -> None:
        self.rows = tuple(rows)
        self._tree: dict[str | None, Any] = {}
        for row in self.rows:
            self._add(row)

    def _add(self, row: Row) -> None:
        node = self._tree
        for step in row.path.split("/")[1:]:
            node = node.setdefault(_ANY_STEP if step.startswith("{") else step, {})
        if _ROW in node:
            raise ValueError(f"two rows for {row.path}")
        node[_ROW] = row

    def find(self, method: str, raw_path: bytes) -> Found:
        """The row and need of a request. Raises NotFound, MethodNotAllowed or AmbiguousAddress.

        `raw_path` is the path as sent. It goes on unchanged, so what the service could read in another way is refused.
        """
        steps = _steps(raw_path)
        row = _search(self._tree, steps, 0)
        if row is None:
            raise NotFound("there is no such address; /docs lists those there are")
        need = row.need(method)
        if need is None:
            allowed = ", ".join(sorted(row.needs))
            raise MethodNotAllowed(f"this address takes {allowed}", headers={"Allow": allowed})
        return Found(row, need)


_ROW = "/"  # keys that no step of a path can be
_ANY_STEP = None


def _search(node: Mapping[str | None, Any], steps: list[str], at: int) -> Row | None:
    """A literal step is preferred to a placeholder; when it leads nowhere the placeholder is tried."""
    if at == len(steps):
        found: Row | None = node.get(_ROW)
        return found
    literal = node.get(steps[at])
    if literal is not None:
        row = _search(literal, steps, at + 1)
        if row is not None:
            return row
    placeholder = node.get(_ANY_STEP)
    return None if placeholder is None or not steps[at] else _search(placeholder, steps, at + 1)


def _steps(raw_path: bytes) -> list[str]:
    """The steps of a path, decoded. Raises AmbiguousAddress where decoding would change what they are."""
    if not raw_path.startswith(b"/"):
        raise AmbiguousAddress("the path must begin with a slash")
    plain = raw_path if b"%" not in raw_path else unquote_to_bytes(raw_path)
    if plain.count(b"/") != raw_path.count(b"/") or b"\\" in plain or min(plain) < 0x20 or b"\x7f" in plain:
        raise AmbiguousAddress
    try:
        steps = plain.decode().split("/")[1:]
    except UnicodeDecodeError as error:
        raise AmbiguousAddress("the path is not UTF-8") from error
    if "." in steps or ".." in steps or "" in steps[:-1]:
        raise AmbiguousAddress
    return steps
