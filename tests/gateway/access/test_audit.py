"""The audit: complete, readable by those who may, changed by nobody."""

import re

import pytest
from psycopg.errors import UndefinedTable
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.exc import ProgrammingError

from gateway.access.audit import AuditLog, record
from gateway.access.models import AuditEntry
from shared.db import Database


def entry(session):
    record(session, "token.issued", client_id="a-client")
    session.flush()


@pytest.mark.parametrize(
    "change",
    [update(AuditEntry).values(event="nothing"), delete(AuditEntry), text("truncate audit")],
    ids=["update", "delete", "truncate"],
)
def test_nothing_in_the_audit_can_be_changed(database, change):
    with database.session() as session:
        entry(session)
    with pytest.raises(ProgrammingError, match="append-only"), database.session() as session:
        session.execute(change)
    with database.session() as session:
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == 1


def test_not_even_as_a_replica_applies_what_another_server_did_can_it_be_changed(database):
    with database.session() as session:
        entry(session)
    with database.session() as session:
        session.execute(text("set session_replication_role = replica"))
        with pytest.raises(ProgrammingError, match="append-only"):
            session.execute(delete(AuditEntry))


def note(log, **others):
    given = {"client_id": "c", "address": "192.0.2.1", "method": "GET", "route": "/v1/series", "status": 403}
    log.note("request.refused", **(given | others))


def test_what_was_noted_is_written_in_order(database):
    log = AuditLog(database)
    for status in (401, 403, 429):
        note(log, status=status)
    log.write()
    with database.session() as session:
        assert session.scalars(select(AuditEntry.status).order_by(AuditEntry.id)).all() == [401, 403, 429]


def test_what_cannot_be_written_now_is_written_later(new_database, database):
    log = AuditLog(database)
    note(log)
    with database.session() as session:
        session.execute(text("alter table audit rename to elsewhere"))
    with pytest.raises(UndefinedTable):
        log.write()
    with database.session() as session:
        session.execute(text("alter table elsewhere rename to audit"))
    note(log, status=401)
    log.write()
    with database.session() as session:
        assert session.scalars(select(AuditEntry.status).order_by(AuditEntry.id)).all() == [403, 401]


def test_a_flood_is_counted_when_it_cannot_be_kept(database):
    log = AuditLog(database, most=3)
    for _ in range(10):
        note(log)
    log.write()
    with database.session() as session:
        last = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == 4
    assert (last.event, last.detail) == ("audit.overflowed", {"not_recorded": 7})


def test_what_goes_through_the_door_is_in_the_audit_when_it_closes(listen):
    with listen() as gateway:
        reader = gateway.client(scopes=["measures:read", "submissions:read"], audience="member")
        public = gateway.client(scopes=["measures:read"], audience="public")
        writer = gateway.client(scopes=["submissions:write"])
        read, write = reader.bearer, writer.bearer
        url = gateway.settings.database_url
        gateway.http.get("/v1/series?measure=mn-preterm&organisation=RGT&q=943%20476%205919", headers=read)
        gateway.http.get("/v1/charts/mn-preterm/9434765919", headers=read)
        gateway.http.get("/v1/exports/mn-preterm", headers=public.bearer)
        gateway.http.get("/v1/series?measure=mn-preterm", headers=public.bearer)
        gateway.http.get("/v1/submissions/7/original", headers=read)
        gateway.http.get("/v1/returns", headers=read)
        gateway.http.get("/v1/audit", headers=read)
        gateway.http.post("/v1/submissions?feed=births", content=b"943 476 5919", headers=write)
        gateway.http.get("/v1/series?q=943%20476%205919")
    database = Database(url)
    with database.session() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        whole = session.scalar(text("select string_agg(audit::text, ' ') from audit"))
    database.close()
    told = [(one.event, one.client_id, one.method, one.route, one.status, one.detail) for one in entries if one.method]
    about = {"measure": "mn-preterm"}
    assert sorted(told, key=str) == sorted(
        [
            ("read.exact", reader.client_id, "GET", "/v1/series", 200, about | {"organisation": "RGT"}),
            ("read.exact", reader.client_id, "GET", "/v1/charts/{measure}/{organisation}", 200, about),
            ("export", public.client_id, "GET", "/v1/exports/{measure}", 200, about),
            ("export", reader.client_id, "GET", "/v1/submissions/{id}/original", 200, {}),
            ("request.refused", reader.client_id, "GET", "/v1/audit", 403, {}),
            ("write", writer.client_id, "POST", "/v1/submissions", 200, {}),
            ("request.refused", None, "GET", "/v1/series", 401, {}),
        ],
        key=str,
    )
    assert not re.search(r"476\D*5919", whole)


def test_the_audit_is_read_newest_first_and_by_what_was_asked(gateway):
    known = gateway.client()
    bearer = known.bearer
    known.token()
    answer = gateway.http.get(f"/v1/audit?client_id={known.client_id}&limit=1", headers=bearer)
    first = answer.json()["items"][0]
    second = gateway.http.get(answer.links["next"]["url"], headers=bearer).json()["items"][0]
    assert first["id"] > second["id"]
    assert {first["event"], second["event"]} == {"token.issued"}
    none = gateway.http.get(f"/v1/audit?client_id={known.client_id}&event=client.revoked", headers=bearer)
    assert none.json()["items"] == []
    since = {"since": first["at"]}
    newer = gateway.http.get(f"/v1/audit?client_id={known.client_id}", params=since, headers=bearer).json()["items"]
    assert [one["id"] for one in newer] == [first["id"]]


def test_a_burst_is_answered_though_the_audit_cannot_be_written_meanwhile_and_is_in_it_afterwards(listen):
    with listen() as gateway:
        bearer = gateway.client().bearer
        with gateway.database.session() as session:
            session.execute(text("lock table audit in access exclusive mode"))
            statuses = {gateway.http.get("/v1/series", headers=bearer).status_code for _ in range(200)}
        url = gateway.settings.database_url
    database = Database(url)
    with database.session() as session:
        written = session.scalar(select(func.count()).where(AuditEntry.event == "read.exact"))
    database.close()
    assert (statuses, written) == ({200}, 200)
