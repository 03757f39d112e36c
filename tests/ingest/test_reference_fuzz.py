"""Every operation of the reference, asked in ways it knows and does not: an answer it tells of, never a 500."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from services.ingest.app import create_app
from services.ingest.settings import IngestSettings
from shared.principal import new_key
from tests.ingest.builders import as_csv, some_births
from tests.ingest.conftest import Ingest

KNOWN = [
    "births",
    "measure-counts",
    "RGT",
    "ENGLAND",
    "2026-05",
    "2026",
    "open",
    "text/csv",
    "0",
    "1",
    "-1",
    "true",
    "",
]
SOME = settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30) | st.sampled_from(KNOWN)
BODIES = st.sampled_from([as_csv(some_births(2)), b"", b"{}", b'{"reason": "sent twice"}', b'{"gestation": 1}', b"[1"])
TYPES = st.sampled_from(
    ["text/csv", "application/json", "application/x-ndjson", "x/y", "application/json; charset=\xff"]
)


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    app = create_app(
        IngestSettings(
            database_url=SecretStr("postgresql+psycopg://nobody@127.0.0.1:1/none"),
            principal_key=new_key()[1],
            pseudonym_key=SecretStr("k" * 64),
        )
    )
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


OPERATIONS = list(operations())


def values(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """Texts of a parameter: what its schema allows, and what it does not."""
    kinds = [schema, *schema.get("anyOf", ())]
    listed = [str(one) for kind in kinds for one in (*kind.get("enum", ()), *kind.get("examples", ()))]
    numbers = st.integers(-(10**20), 10**20).map(str)
    return st.sampled_from(listed) | TEXTS | numbers if listed else TEXTS | numbers


def test_whatever_is_asked_of_any_operation_it_answers_as_its_reference_says(ingest: Ingest) -> None:
    rows = some_births(2)
    rows[1]["pregnancy_outcome"] = "77"
    known = {"submission_id": ingest.send(as_csv(rows), "births").json()["id"], "line": "3"}
    for method, path, operation in OPERATIONS:
        asked(ingest, method, path, operation, known)


def asked(ingest: Ingest, method: str, path: str, operation: dict[str, Any], known: dict[str, str]) -> None:
    told = {int(status) for status in operation["responses"]} | {401, 403, 404, 422}

    @SOME
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        place, query, headers = path, {}, {}
        for one in operation.get("parameters", ()):
            drawn = data.draw(values(one["schema"]), label=one["name"])
            if one["in"] == "path":
                chosen = (data.draw(st.booleans()) and known.get(one["name"])) or drawn or "-"
                place = place.replace("{" + one["name"] + "}", quote(chosen, safe=""))
            elif one["in"] == "query" and data.draw(st.booleans() | st.just(one.get("required", False))):
                query[one["name"]] = drawn
            elif one["in"] == "header" and drawn.isascii() and drawn.isprintable():
                headers[one["name"]] = drawn.strip()
        kind = data.draw(TYPES).encode("latin-1")
        answer = ingest.client.request(
            method, place, params=query, content=data.draw(BODIES) if method in ("post", "patch") else None,
            headers={**ingest.as_(), **headers, "Content-Type": kind},  # type: ignore[dict-item]
        )  # fmt: skip
        assert answer.status_code in told, (answer.status_code, method, place, query, headers, kind)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert json.loads(answer.content)["type"].startswith("/problems/")

    ask()
