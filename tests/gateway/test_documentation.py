"""What the platform says of itself."""

import re
from html.parser import HTMLParser

import pytest

from gateway import documentation
from gateway.explorer.reference import reference
from gateway.openapi import METHODS, merged, operations
from gateway.routes import INGEST, MEASURES, OPERATIONS, SERVICES, TABLE, Row
from shared.problems import NotFound, problems


def described(paths, schemas=None):
    return {"openapi": "3.1.0", "info": {}, "paths": paths, "components": {"schemas": schemas or {}}}


def operation(name, **more):
    return {"operationId": name, "responses": {"200": {"description": "Good."}}} | more


def whole(documents, rows=TABLE):
    return merged(documents, rows, server="https://door.example", version="1.0.0")


def test_only_what_the_table_leads_to_is_in_the_document():
    paths = {
        "/v1/series": {"get": operation("series"), "post": operation("hidden")},
        "/internal/openapi.json": {"get": operation("inner")},
        "/v1/submissions": {"get": operation("another_services")},
    }
    document = whole({MEASURES: described(paths)})
    assert [(path, method) for path, method, _ in operations(document)] == [("/v1/series", "GET")]


def test_a_path_is_found_whatever_its_placeholders_are_called():
    paths = {"/v1/charts/{measure_id}/{code}": {"get": operation("chart")}}
    assert "/v1/charts/{measure_id}/{code}" in whole({MEASURES: described(paths)})["paths"]


def test_each_operation_says_the_scope_it_needs():
    document = whole({MEASURES: described({"/v1/series": {"get": operation("series")}})})
    assert document["paths"]["/v1/series"]["get"]["security"] == [{"oauth2": ["measures:read"]}]
    flow = document["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == "https://door.example/oauth2/token"
    assert "measures:read" in flow["scopes"]


def test_each_operation_has_the_refusals_of_the_door_beside_its_own():
    own = operation("series", responses=problems(NotFound) | {"200": {"description": "Good."}})
    own["responses"] = {str(status): answer for status, answer in own["responses"].items()}
    answers = whole({MEASURES: described({"/v1/series": {"get": own}})})["paths"]["/v1/series"]["get"]["responses"]
    assert list(answers) == ["200", "304", "401", "403", "404", "422", "429", "502", "503", "504"]
    assert "not-found" in answers["404"]["content"]["application/problem+json"]["examples"]


def test_the_frameworks_own_error_is_replaced_by_ours():
    reference = {"$ref": "#/components/schemas/HTTPValidationError"}
    framework = {"422": {"description": "x", "content": {"application/json": {"schema": reference}}}}
    schemas = {"HTTPValidationError": {"type": "object"}}
    document = whole({MEASURES: described({"/v1/series": {"get": operation("series", responses=framework)}}, schemas)})
    content = document["paths"]["/v1/series"]["get"]["responses"]["422"]["content"]
    assert list(content) == ["application/problem+json"]
    assert list(document["components"]["schemas"]) == ["Problem"]


def test_schemas_of_one_name_and_two_meanings_are_kept_apart():
    def one(path, kind):
        answer = {
            "description": "x",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Page"}}},
        }
        schemas = {"Page": {"$ref": "#/components/schemas/Item"}, "Item": {"type": kind}, "Unused": {}}
        return described({path: {"get": operation(kind, responses={"200": answer})}}, schemas)

    document = whole({MEASURES: one("/v1/series", "string"), INGEST: one("/v1/returns", "integer")})
    schemas = document["components"]["schemas"]
    assert schemas["Item"] == {"type": "integer"}
    assert schemas["MeasuresItem"] == {"type": "string"}
    assert "Unused" not in schemas
    text = str(document)
    assert set(re.findall(r"#/components/schemas/(\w+)", text)) <= schemas.keys()


def test_a_document_that_is_merged_is_not_changed():
    one = described({"/v1/series": {"get": operation("series")}})
    first, second = whole({MEASURES: one}), whole({MEASURES: one})
    assert first == second
    assert one == described({"/v1/series": {"get": operation("series")}})


def test_the_document_is_merged_once_while_nothing_new_is_told(gateway, monkeypatch):
    """It takes the door a tenth of a second, which nobody without a token may take again and again."""
    first = gateway.http.get("/openapi.json").text
    monkeypatch.setattr(documentation, "merged", lambda *_, **__: pytest.fail("merged again"))
    assert gateway.http.get("/openapi.json").text == first
    assert gateway.http.get("/problems/not-found").is_success


@pytest.fixture(scope="module")
def document(gateway):
    return gateway.http.get("/openapi.json").json()


OWN = [
    "/",
    "/docs",
    "/openapi.json",
    "/asyncapi.json",
    "/problems",
    "/problems/not-found",
    "/.well-known/jwks.json",
    "/v1/clients",
    "/v1/clients/me",
    "/v1/audit?event=token.refused",
    "/v1/webhooks",
]


@pytest.mark.parametrize("path", OWN)
def test_what_one_has_already_is_not_sent_again(gateway, path):
    bearer = gateway.client(scopes=("clients:read", "audit:read", "webhooks:read")).bearer
    first = gateway.http.get(path, headers=bearer)
    again = gateway.http.get(path, headers={**bearer, "If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert gateway.http.get(path, headers={**bearer, "If-None-Match": '"other"'}).content == first.content


def test_the_gateways_own_addresses_are_in_the_document(document):
    assert document["openapi"].startswith("3.1")
    own = {row.path for row in TABLE if row.path.startswith(("/v1/clients", "/v1/audit", "/oauth2"))}
    assert own <= document["paths"].keys()
    assert document["paths"]["/oauth2/token"]["post"]["security"] == []


def test_operations_of_the_platforms_operators_are_not_in_the_document(document):
    hidden = {row.path for row in TABLE if OPERATIONS in row.needs.values()}
    assert not hidden & document["paths"].keys()


def test_every_operation_has_a_name_of_its_own_chosen_by_hand_and_a_description(document):
    names = [one["operationId"] for _, _, one in operations(document)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in names)
    assert all(one["description"] for _, _, one in operations(document))


def test_every_reference_in_the_document_leads_somewhere(document):
    for kind, name in re.findall(r"'#/components/(\w+)/(\w+)'", str(document)):
        assert name in document["components"][kind]


def test_a_service_that_does_not_answer_is_left_out_and_not_an_error(listen):
    with listen(upstreams=dict.fromkeys(SERVICES, "http://127.0.0.1:9")) as gateway:
        answer = gateway.http.get("/openapi.json")
    assert answer.status_code == 200
    assert "/v1/clients" in answer.json()["paths"]


class Page(HTMLParser):
    """What a page holds: its tags, links and ids."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.links, self.ids, self.text = [], [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        given = dict(attributes)
        self.links += [given[name] for name in ("href", "src") if name in given]
        self.ids += [given["id"]] if "id" in given else []

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("path", ["/", "/docs", "/problems", "/problems/unauthenticated"])
def test_a_page_needs_nothing_from_elsewhere_and_runs_nothing(gateway, path):
    answer = gateway.http.get(path, headers={"Accept": "text/html"})
    page = Page(answer.text)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "script" not in page.tags
    assert all(link.startswith(("/", "#")) for link in page.links)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert page.tags.count("h1") == 1
    assert {"main", "header", "title"} <= set(page.tags)
    assert "#main" in page.links
    assert "main" in page.ids


@pytest.mark.parametrize("path", ["/", "/docs", "/problems"])
def test_no_link_of_ours_is_broken(gateway, path):
    for link in set(Page(gateway.http.get(path, headers={"Accept": "text/html"}).text).links):
        if link.startswith("/"):
            assert gateway.http.get(link).status_code == 200, link


def test_the_reference_shows_every_operation(gateway, document):
    page = Page(gateway.http.get("/docs").text)
    assert {one["operationId"] for _, _, one in operations(document)} <= set(page.ids)
    assert len(set(page.ids)) == len(page.ids)


def test_every_link_within_the_reference_leads_somewhere(gateway):
    page = Page(gateway.http.get("/docs").text)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_what_a_service_writes_into_its_document_cannot_become_html(gateway):
    evil = "<script>alert(1)</script>"
    one = operation("x_y", summary=evil, description=f"`{evil}` **{evil}**", tags=[evil])
    one["parameters"] = [{"name": evil, "in": evil, "description": evil}]
    one["responses"] = {evil: {"description": evil, "content": {"application/json": {"example": evil}}}}
    schema = {"properties": {evil: {"type": evil, "format": evil, "description": evil, "enum": [evil]}}}
    schemas = {evil: schema | {"description": evil, "anyOf": [{"$ref": evil}, {"type": [evil]}]}}
    paths = {f"/{evil}": {"get": one}}
    page = reference({"info": {"description": evil}, "paths": paths, "components": {"schemas": schemas}})
    assert b"<script" not in page.body


def test_a_problem_is_explained_to_people_and_to_programs(gateway):
    programs = gateway.http.get("/problems/broken-answer", headers={"Accept": "application/json"}).json()
    assert programs["status"] == 502
    assert "Idempotency-Key" in programs["explanation"]
    people = gateway.http.get("/problems/broken-answer", headers={"Accept": "text/html"})
    assert "Idempotency-Key" in people.text


def test_every_problem_the_document_speaks_of_has_its_page(gateway, document):
    slugs = set()
    for _, _, one in operations(document):
        for answer in one["responses"].values():
            slugs |= answer.get("content", {}).get("application/problem+json", {}).get("examples", {}).keys()
    assert slugs
    for slug in slugs:
        assert gateway.http.get(f"/problems/{slug}").status_code == 200


@pytest.mark.parametrize("path", ["/problems/no-such-problem", "/problems/%3Cscript%3E"])
def test_a_problem_there_is_not_has_no_page(gateway, path):
    assert gateway.http.get(path).status_code in (404, 422)


def test_the_document_knows_every_method_there_is():
    assert {method.lower() for row in TABLE for method in row.needs} <= METHODS
    assert Row("/x", "s", GET="public").needs == {"GET": "public"}
