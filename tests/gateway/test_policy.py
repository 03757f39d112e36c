"""Every address x every kind of caller. A row of the table that is not repeated here fails, and so does the reverse."""

import re
from typing import Any

import pytest

from gateway.routes import ANY_CLIENT, GATEWAY, OPERATIONS, PUBLIC, SCOPES, TABLE

REGISTERED = ("programmes", "measures", "targets", "organisations", "annotations", "enrolments")
P_READ, P_WRITE, M_READ, S_READ, S_WRITE = (
    "programmes:read", "programmes:write", "measures:read", "submissions:read", "submissions:write",
)  # fmt: skip

POLICY: dict[str, dict[str, str]] = {
    "/": {"GET": PUBLIC},
    "/docs": {"GET": PUBLIC},
    "/openapi.json": {"GET": PUBLIC},
    "/asyncapi.json": {"GET": PUBLIC},
    "/problems": {"GET": PUBLIC},
    "/problems/{slug}": {"GET": PUBLIC},
    "/.well-known/jwks.json": {"GET": PUBLIC},
    "/.well-known/oauth-authorization-server": {"GET": PUBLIC},
    "/health/live": {"GET": PUBLIC},
    "/health/ready": {"GET": OPERATIONS},
    "/metrics": {"GET": OPERATIONS},
    "/oauth2/token": {"POST": PUBLIC},
    "/v1/clients": {"GET": "clients:read", "POST": "clients:write"},
    "/v1/clients/me": {"GET": ANY_CLIENT},
    "/v1/clients/{client_id}": {"GET": "clients:read"},
    "/v1/clients/{client_id}/rotate": {"POST": "clients:write"},
    "/v1/clients/{client_id}/revoke": {"POST": "clients:write"},
    "/v1/audit": {"GET": "audit:read"},
    "/v1/stream": {"GET": ANY_CLIENT},
    "/v1/webhooks": {"GET": "webhooks:read", "POST": "webhooks:write"},
    "/v1/webhooks/{id}": {"GET": "webhooks:read", "PATCH": "webhooks:write", "DELETE": "webhooks:write"},
    "/v1/webhooks/{id}/deliveries": {"GET": "webhooks:read"},
    "/v1/webhooks/{id}/rotate": {"POST": "webhooks:write"},
    "/v1/webhooks/{id}/replay": {"POST": "webhooks:write"},
    "/v1/webhooks/{id}/test": {"POST": "webhooks:write"},
    "/v1/conformance": {"GET": ANY_CLIENT},
    "/v1/pages/organisations/{code}": {"GET": P_READ},
    "/v1/pages/programmes/{programme}": {"GET": P_READ},
    "/v1/submissions": {"GET": S_READ, "POST": S_WRITE},
    "/v1/submissions/{id}": {"GET": S_READ, "DELETE": S_WRITE},
    "/v1/submissions/{id}/faults": {"GET": S_READ},
    "/v1/submissions/{id}/annotated": {"GET": S_READ},
    "/v1/submissions/{id}/rejected": {"GET": S_READ},
    "/v1/submissions/{id}/original": {"GET": S_READ},
    "/v1/returns": {"GET": S_READ},
    "/v1/calendar": {"GET": S_READ},
    "/v1/completeness": {"GET": S_READ},
    "/v1/reminders": {"GET": S_READ},
    "/v1/submissions/{id}/verify": {"GET": S_READ},
    "/v1/quarantine": {"GET": S_READ},
    "/v1/quarantine/{id}/{line}": {"GET": S_READ, "PATCH": S_WRITE},
    "/v1/quarantine/{id}/{line}/replay": {"POST": S_WRITE},
    "/v1/quarantine/{id}/{line}/waive": {"POST": S_WRITE},
    **{f"/v1/{kind}": {"GET": P_READ, "POST": P_WRITE} for kind in REGISTERED},
    "/v1/programmes/{id}": {"GET": P_READ, "PUT": P_WRITE},
    "/v1/measures/{id}": {"GET": P_READ},
    "/v1/measures/{id}/draft": {"GET": P_READ, "PUT": P_WRITE, "DELETE": P_WRITE},
    "/v1/measures/{id}/publish": {"POST": P_WRITE},
    "/v1/measures/{id}/versions": {"GET": P_READ},
    "/v1/measures/{id}/versions/{version}": {"GET": P_READ},
    "/v1/targets/{id}": {"GET": P_READ, "PUT": P_WRITE},
    "/v1/organisations/{code}": {"GET": P_READ, "PUT": P_WRITE},
    "/v1/enrolments/{id}": {"GET": P_READ, "PUT": P_WRITE},
    "/v1/annotations/{id}": {"GET": P_READ, "PUT": P_WRITE, "DELETE": P_WRITE},
    "/v1/programmes/{id}/driver-diagram": {"GET": P_READ},
    "/v1/programmes/{id}/adoption": {"GET": P_READ},
    "/v1/measures/{id}/retire": {"POST": P_WRITE},
    "/v1/annotations/{id}/accept": {"POST": P_WRITE},
    "/v1/feeds": {"GET": P_READ},
    "/v1/feeds/{feed}": {"GET": P_READ},
    "/v1/feeds/{feed}/schema": {"GET": P_READ},
    "/v1/feeds/{feed}/table-schema": {"GET": P_READ},
    "/v1/feeds/{feed}/guide": {"GET": P_READ},
    "/v1/feeds/{feed}/template.csv": {"GET": P_READ},
    "/v1/feeds/{feed}/template.xlsx": {"GET": P_READ},
    "/v1/organisations/{code}/ancestors": {"GET": P_READ},
    "/v1/organisations/{code}/members": {"GET": P_READ},
    "/v1/organisations/{code}/successors": {"GET": P_READ},
    "/v1/changes": {"GET": P_READ},
    "/v1/measures/{id}/preview": {"POST": P_WRITE},
    "/v1/series": {"GET": M_READ},
    "/v1/charts/{measure}/{organisation}": {"GET": M_READ},
    "/v1/funnels/{measure}": {"GET": M_READ},
    "/v1/inequalities/{measure}/{organisation}": {"GET": M_READ},
    "/v1/matrix": {"GET": M_READ},
    "/v1/signals": {"GET": M_READ},
    "/v1/targets/{id}/progress": {"GET": M_READ},
    "/v1/explain": {"GET": M_READ},
    "/v1/exports/{measure}": {"GET": M_READ},
    "/v1/statistics/spc": {"POST": M_READ},
    "/v1/statistics/intervals": {"POST": M_READ},
    "/v1/statistics/funnel": {"POST": M_READ},
    "/v1/statistics/inequality": {"POST": M_READ},
    "/v1/statistics/cusum": {"POST": M_READ},
}
CASES = [(path, method, need) for path, needs in POLICY.items() for method, need in needs.items()]
GUARDED = [case for case in CASES if case[2] not in (PUBLIC, OPERATIONS)]
SCOPED = [case for case in GUARDED if case[2] != ANY_CLIENT]


def named(cases: list[tuple[str, str, str]]) -> Any:
    return pytest.mark.parametrize(("path", "method", "need"), cases, ids=[f"{m} {p}" for p, m, _ in cases])


@pytest.fixture(scope="module")
def callers(gateway):
    """A client with each scope alone, and one with all the others."""
    clients = {f"only {scope}": gateway.client(scopes=[scope]) for scope in SCOPES}
    clients |= {f"all but {scope}": gateway.client(scopes=SCOPES - {scope}) for scope in SCOPES}
    return {name: client.bearer for name, client in clients.items()}


def filled(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "example", path)


def ask(gateway, method, path, headers=None):
    return gateway.http.request(method, filled(path), headers=headers)


def test_the_table_is_this_policy():
    assert {row.path: dict(row.needs) for row in TABLE} == POLICY


@named(GUARDED)
def test_nobody_without_a_token_gets_in(gateway, path, method, need):
    answer = ask(gateway, method, path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@named(GUARDED)
def test_nobody_with_a_made_up_token_gets_in(gateway, path, method, need):
    assert ask(gateway, method, path, {"Authorization": "Bearer e30.e30.e30"}).status_code == 401


@named(GUARDED)
def test_saying_to_be_the_gateway_gets_nobody_in(gateway, path, method, need):
    assert ask(gateway, method, path, {"X-PSIP-Principal": "e30.e30.e30"}).status_code == 401


@named(SCOPED)
def test_a_client_with_every_scope_but_this_is_refused(gateway, callers, path, method, need):
    answer = ask(gateway, method, path, callers[f"all but {need}"])
    assert answer.status_code == 403
    assert f'scope="{need}"' in answer.headers["WWW-Authenticate"]


@named(SCOPED)
def test_a_client_with_this_scope_alone_is_let_in(gateway, callers, path, method, need):
    answer = ask(gateway, method, path, callers[f"only {need}"])
    assert answer.status_code not in (401, 403, 405)


@named([case for case in CASES if case[2] == PUBLIC])
def test_what_is_public_asks_for_no_token(gateway, path, method, need):
    assert ask(gateway, method, path).status_code not in (403, 405)
    if path != "/oauth2/token":
        assert ask(gateway, method, path).status_code != 401


@named([case for case in CASES if case[2] == OPERATIONS])
def test_operations_are_not_there_for_outsiders(listen, path, method, need):
    with listen(operations_networks=("192.0.2.0/24",)) as gateway:
        known = gateway.client()
        assert ask(gateway, method, path, known.bearer).status_code == 404
        assert ask(gateway, method, "/v1/clients/me", known.bearer).status_code == 200


def test_no_service_has_a_public_address():
    assert not [row for row in TABLE if row.service != GATEWAY and {PUBLIC, OPERATIONS} & set(row.needs.values())]
