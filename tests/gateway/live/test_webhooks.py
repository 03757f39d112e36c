"""Webhooks: who may have them, what is carried to them, and what becomes of what is not taken."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from deploy.serving import Server
from gateway.live import log
from gateway.live.models import Webhook
from gateway.live.webhooks import sending
from gateway.live.webhooks.calling import call
from gateway.live.webhooks.planning import Planner
from gateway.live.webhooks.sending import PAUSES, Sender
from gateway.live.webhooks.signatures import Signatures
from shared.db import Database, now
from tests.gateway.conftest import Gateway, listening
from tests.gateway.live.conftest import cells_changed, happen, settle_places, signalled, submitted

ROOT = Path(__file__).parents[3]


def verified(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """As the specification of Standard Webhooks says, written from it and not from our code."""
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = [one.split(",", 1) for one in headers["webhook-signature"].split(" ")]
    return any(version == "v1" and hmac.compare_digest(value, wanted) for version, value in given)


@dataclass
class Receiver:
    """Somebody's address: remembers what it was sent, and answers as it is told."""

    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] != "lifespan.shutdown":
                await send({"type": f"{message['type']}.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.calls.append(({name.decode(): value.decode() for name, value in scope["headers"]}, body))
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"x" * 1000})

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.calls]


@dataclass
class Clock:
    """The sender's: it stands still, some minutes ahead of everybody's, and moves when it is told to."""

    began: datetime = field(default_factory=lambda: now() + timedelta(minutes=5))
    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return self.began + self.ahead


@dataclass
class Works:
    """The worker of webhooks, stepped by hand; names mean what `names` says, otherwise what they are."""

    database: Database
    clock: Clock = field(default_factory=Clock)
    names: dict[str, list[str]] = field(default_factory=dict)
    sandbox: bool = True

    def __post_init__(self) -> None:
        self.planner = Planner(self.database)
        self.sender = Sender(
            self.database, Signatures("a key for the tests"), sandbox=self.sandbox,
            resolve=lambda host, _: self.names.get(host, [host]), clock=self.clock, jitter=lambda: 0,
        )  # fmt: skip

    def run(self) -> None:
        while self.planner.step():
            pass
        self.sender.finish()


@pytest.fixture(scope="module")
def sandbox(new_database) -> Iterator[Gateway]:
    url = new_database("gateway")
    database = Database(url)
    settle_places(database)
    with listening(url, sandbox=True) as gateway:
        yield gateway
    database.close()


@pytest.fixture
def receiver(sandbox) -> Iterator[Receiver]:
    """At the end there are no webhooks, so that no other test has them called."""
    one = Receiver()
    with Server(one) as server:
        one.url = server.url
        yield one
    with sandbox.database.session() as session:
        session.execute(delete(Webhook))


@pytest.fixture
def works(sandbox) -> Iterator[Works]:
    one = Works(sandbox.database)
    yield one
    one.sender.close()


@pytest.fixture
def owner(sandbox) -> dict[str, str]:
    return sandbox.client().bearer


def register(sandbox, bearer, url, **others) -> dict[str, Any]:
    answer = sandbox.http.post("/v1/webhooks", headers=bearer, json={"url": url, **others})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def read(sandbox, bearer, webhook, path="") -> dict[str, Any]:
    answer = sandbox.http.get(f"/v1/webhooks/{webhook['id']}{path}", headers=bearer)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_an_event_is_carried_signed_as_standard_webhooks_says(sandbox, owner, receiver, works):
    webhook = register(sandbox, owner, receiver.url)
    (place,) = happen(sandbox.database, cells_changed())
    works.run()

    ((headers, body),) = receiver.calls
    assert verified(webhook["secret"], headers, body)
    assert not verified(webhook["secret"], headers, body + b" ")
    assert not verified(webhook["secret"], headers | {"webhook-timestamp": "1"}, body)
    told = json.loads(body)
    assert (told["type"], told["cursor"]) == ("cells.changed", str(place))
    assert told["data"]["organisation"] == "RGT"
    assert headers["webhook-id"] == read(sandbox, owner, webhook, "/deliveries")["items"][0]["event_id"]


def test_the_secret_is_shown_once_and_stored_nowhere(sandbox, owner, receiver):
    webhook = register(sandbox, owner, receiver.url)
    assert webhook["secret"].startswith("whsec_")
    assert len(base64.b64decode(webhook["secret"].removeprefix("whsec_"))) == 32
    assert "secret" not in read(sandbox, owner, webhook)
    with sandbox.database.engine.connect() as connection:
        rows = connection.exec_driver_sql("select to_jsonb(webhook)::text from webhook").scalars().all()
    assert not any(webhook["secret"].removeprefix("whsec_") in row for row in rows)


def test_for_a_time_after_a_rotation_both_secrets_verify_and_then_only_the_new_one(sandbox, owner, receiver, works):
    webhook = register(sandbox, owner, receiver.url)
    body = {"overlap_seconds": 3600}
    rotated = sandbox.http.post(f"/v1/webhooks/{webhook['id']}/rotate", headers=owner, json=body).json()
    happen(sandbox.database, cells_changed())
    works.run()
    works.clock.ahead = timedelta(hours=2)
    happen(sandbox.database, cells_changed())
    works.run()

    verdicts = [[verified(one["secret"], *call) for one in (webhook, rotated)] for call in receiver.calls]
    assert verdicts == [[True, True], [False, True]]


def test_only_what_its_client_may_see_and_asked_for_is_carried(sandbox, receiver, works):
    member = sandbox.client(organisations=["QUE"], audience="member")
    register(sandbox, member.bearer, receiver.url, events=["signal.detected", "submission.completed"])
    happen(
        sandbox.database,
        cells_changed(),
        submitted("others", organisations=["RM1"]),
        submitted("mine", organisations=["RGT01"]),
        signalled("RM1", small=True),
        signalled("RGT", small=True),
    )
    works.run()
    told = [(one["type"], one["data"].get("id", one["data"]["organisation"])) for one in receiver.told]
    assert sorted(told) == [("signal.detected", "RGT"), ("submission.completed", "mine")]


def test_what_is_not_taken_is_tried_again_with_the_same_id_and_body_until_it_is(sandbox, owner, receiver, works):
    webhook = register(sandbox, owner, receiver.url)
    receiver.status = 500
    happen(sandbox.database, cells_changed())
    works.run()
    works.run()  # not yet due
    assert len(receiver.calls) == 1
    failed = read(sandbox, owner, webhook, "/deliveries")["items"][0]
    assert (failed["state"], failed["attempts"], failed["status"], failed["reason"]) == (
        "waiting",
        1,
        500,
        "answered 500",
    )
    assert read(sandbox, owner, webhook)["failing_since"] is not None

    receiver.status = 204
    works.clock.ahead = timedelta(seconds=6)
    works.run()
    (first, body), (second, again) = receiver.calls
    assert (first["webhook-id"], body) == (second["webhook-id"], again)
    assert first["webhook-timestamp"] != second["webhook-timestamp"]
    fares = read(sandbox, owner, webhook)
    assert (fares["waiting"], fares["parked"], fares["failing_since"]) == (0, 0, None)


def test_after_the_last_attempt_it_is_parked_and_the_webhook_disabled_and_says_so(sandbox, owner, receiver, works):
    webhook = register(sandbox, owner, receiver.url)
    receiver.status = 503
    happen(sandbox.database, cells_changed())
    for pause in (timedelta(), *PAUSES):
        works.clock.ahead += pause + timedelta(seconds=1)
        works.run()

    assert len(receiver.calls) == len(PAUSES) + 1
    parked = read(sandbox, owner, webhook, "/deliveries?state=parked")["items"]
    assert [one["attempts"] for one in parked] == [len(PAUSES) + 1]
    listed = sandbox.http.get("/v1/webhooks", headers=owner).json()["items"]
    assert [(one["enabled"], one["parked"]) for one in listed] == [(False, 1)]
    assert listed[0]["disabled_because"].startswith("nothing could be delivered since")

    refused = sandbox.http.post(f"/v1/webhooks/{webhook['id']}/test", headers=owner)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/webhook-disabled")


def test_one_that_was_disabled_goes_on_where_it_stopped_once_it_is_enabled(sandbox, owner, receiver, works):
    webhook = register(sandbox, owner, receiver.url)
    change = lambda **what: sandbox.http.patch(f"/v1/webhooks/{webhook['id']}", headers=owner, json=what)  # noqa: E731
    assert change(enabled=False).json()["disabled_because"] == "its owner disabled it"
    happen(sandbox.database, cells_changed(data_version=5))
    works.run()
    assert receiver.calls == []

    assert change(enabled=True).json()["enabled"] is True
    works.run()
    assert [one["data"]["data_version"] for one in receiver.told] == [5]


def test_an_address_that_is_gone_is_called_no_more(sandbox, owner, receiver, works):
    webhook = register(sandbox, owner, receiver.url)
    receiver.status = 410
    happen(sandbox.database, cells_changed())
    works.run()
    assert read(sandbox, owner, webhook)["disabled_because"] == "it answered 410 Gone"


def test_a_redirect_is_not_followed(sandbox, owner, receiver, works):
    webhook = register(sandbox, owner, receiver.url)
    receiver.status, receiver.headers = 302, [(b"location", receiver.url.encode() + b"/elsewhere")]
    happen(sandbox.database, cells_changed())
    works.run()
    assert len(receiver.calls) == 1
    assert read(sandbox, owner, webhook, "/deliveries")["items"][0]["reason"] == "redirects are not followed"


def test_an_address_that_gives_no_answer_is_left_alone_for_all_its_deliveries(
    sandbox, owner, receiver, works, monkeypatch
):
    url = receiver.url.replace("http://127.0.0.1", "http://dead.example")
    monkeypatch.setitem(sandbox.app.state._state, "resolve", lambda host, port: ["127.0.0.1"])
    webhook = register(sandbox, owner, url)
    works.names["dead.example"] = ["10.0.0.1"]
    happen(sandbox.database, *(cells_changed() for _ in range(10)))
    works.run()
    tried = [one["attempts"] for one in read(sandbox, owner, webhook, "/deliveries")["items"]]
    assert sum(tried) <= 4
    works.names["dead.example"] = ["127.0.0.1"]
    works.clock.ahead = timedelta(seconds=10)
    works.run()
    assert len(receiver.calls) == 10


def test_everything_after_a_cursor_can_be_carried_again_with_the_same_ids(sandbox, owner, receiver, works):
    webhook = register(sandbox, owner, receiver.url)
    first, *_ = happen(sandbox.database, *(cells_changed(data_version=number) for number in range(3)))
    works.run()
    before = [headers["webhook-id"] for headers, _ in receiver.calls]
    replay = lambda after: sandbox.http.post(  # noqa: E731
        f"/v1/webhooks/{webhook['id']}/replay", headers=owner, json={"after": str(after)}
    )
    assert replay(first).status_code == 202
    works.run()
    again = [headers["webhook-id"] for headers, _ in receiver.calls[3:]]
    assert sorted(again) == sorted(set(before) - {_id_of(receiver, first)})
    refused = replay(first + 1_000_000)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/no-longer-kept")


def _id_of(receiver: Receiver, position: int) -> str:
    return next(h["webhook-id"] for h, body in receiver.calls if json.loads(body)["cursor"] == str(position))


def test_a_webhook_that_fell_behind_what_is_kept_is_told_that_something_was_missed(listen, receiver):
    with listen(sandbox=True) as gateway:
        bearer = gateway.client().bearer
        register(gateway, bearer, receiver.url)
        happen(gateway.database, cells_changed(), cells_changed())
        with gateway.database.session() as session:
            log.forget(session, before=now())
        works = Works(gateway.database)
        works.run()
        works.sender.close()
    assert [(one["type"], one["data"]["missed"]) for one in receiver.told] == [("reset", True)]


def test_a_test_event_is_carried_like_any_other(sandbox, owner, receiver, works):
    webhook = register(sandbox, owner, receiver.url)
    sent = sandbox.http.post(f"/v1/webhooks/{webhook['id']}/test", headers=owner)
    assert sent.status_code == 202
    works.run()
    ((headers, body),) = receiver.calls
    assert verified(webhook["secret"], headers, body)
    assert headers["webhook-id"] == sent.json()["event_id"]
    assert json.loads(body)["type"] == "webhook.test"


def test_nothing_is_carried_for_a_client_that_was_revoked(sandbox, receiver, works):
    leaving = sandbox.client()
    register(sandbox, leaving.bearer, receiver.url)
    happen(sandbox.database, cells_changed())
    assert works.planner.step()  # a delivery waits already
    sandbox.http.post(f"/v1/clients/{leaving.client_id}/revoke", headers=sandbox.client().bearer)
    happen(sandbox.database, cells_changed())
    works.run()
    assert receiver.calls == []


def test_a_delivery_survives_the_worker_that_died_with_it_in_its_hands(sandbox, owner, receiver, works):
    register(sandbox, owner, receiver.url)
    happen(sandbox.database, cells_changed())
    works.planner.step()
    assert len(works.sender._take(10)) == 1  # and then it dies
    another = Works(sandbox.database, works.clock)
    another.run()
    assert receiver.calls == []  # somebody else has it
    another.clock.ahead = timedelta(seconds=61)
    another.run()
    another.sender.close()
    assert len(receiver.calls) == 1


def test_another_clients_webhook_is_not_there(sandbox, owner, receiver):
    webhook = register(sandbox, owner, receiver.url)
    other = sandbox.client().bearer
    address = f"/v1/webhooks/{webhook['id']}"
    answers = [
        sandbox.http.get(address, headers=other),
        sandbox.http.get(f"{address}/deliveries", headers=other),
        sandbox.http.patch(address, headers=other, json={"enabled": False}),
        sandbox.http.delete(address, headers=other),
        sandbox.http.post(f"{address}/rotate", headers=other),
        sandbox.http.post(f"{address}/replay", headers=other, json={"after": "0"}),
        sandbox.http.post(f"{address}/test", headers=other),
    ]
    assert [one.status_code for one in answers] == [404] * len(answers)
    assert sandbox.http.get("/v1/webhooks", headers=other).json()["items"] == []


def test_a_webhook_needs_scopes_for_its_events_organisations_there_are_and_room(sandbox, receiver, monkeypatch):
    narrow = sandbox.client(scopes=["webhooks:write", "measures:read"]).bearer
    ask = lambda **what: sandbox.http.post("/v1/webhooks", headers=narrow, json={"url": receiver.url} | what)  # noqa: E731
    assert ask(events=["submission.completed"]).status_code == 403
    assert ask(organisations=["XXX"]).status_code == 404
    assert ask(surprise=1).status_code == 422
    monkeypatch.setattr("gateway.live.webhooks.commands.MOST", 0)
    assert ask().json()["type"] == "/problems/too-many-webhooks"


def test_changes_are_in_the_audit(sandbox, owner, receiver):
    webhook = register(sandbox, owner, receiver.url)
    sandbox.http.patch(f"/v1/webhooks/{webhook['id']}", headers=owner, json={"description": "Ours"})
    sandbox.http.delete(f"/v1/webhooks/{webhook['id']}", headers=owner)
    found = sandbox.http.get("/v1/audit?limit=1000", headers=owner).json()["items"]
    events = [one["event"] for one in found if one["detail"].get("webhook") == webhook["id"]]
    assert events == ["webhook.deleted", "webhook.changed", "webhook.registered"]


def test_a_caller_that_is_slow_does_not_hold_up_the_others(sandbox, owner, receiver, works, monkeypatch):
    """One webhook has at most four of the callers at a time."""
    monkeypatch.setitem(call.__kwdefaults__, "seconds", 120)  # it is held up for as long as the test takes
    hold = threading.Event()

    class Slow(Receiver):
        async def __call__(self, scope, receive, send):
            if scope["type"] == "http":
                await asyncio.to_thread(hold.wait, 120)
            await super().__call__(scope, receive, send)

    def to(url):
        return [one for one, job in works.sender._calls.items() if job.url == url]

    def release_and_wait(calls):
        hold.set()
        wait(calls)

    slow = Slow()
    with Server(slow) as server:
        register(sandbox, owner, server.url)
        register(sandbox, owner, receiver.url)
        happen(sandbox.database, *(cells_changed() for _ in range(12)))
        while works.planner.step():
            pass
        while works.sender.step() or to(receiver.url):
            assert len(to(server.url)) <= 4
            wait(to(receiver.url), timeout=60)
        assert (len(receiver.calls), len(to(server.url))) == (12, 4)
        monkeypatch.setattr(sending, "wait", release_and_wait)
        works.sender.finish()  # finds nothing to write down, and calls under way
        assert len(slow.calls) == 12


@pytest.fixture
def unending(works, monkeypatch) -> Iterator[Works]:
    """The worker, none of whose calls end before a test says so."""
    monkeypatch.setattr(works.sender._callers, "submit", lambda *_: Future())
    yield works
    for one in works.sender._calls:
        if not one.done():
            end(one)


def end(one: "Future[sending.Outcome]") -> None:
    one.set_result(sending.Outcome(200, None))


def of_each(works: Works) -> Counter[str]:
    return Counter(job.webhook_id for job in works.sender._calls.values())


def test_a_webhook_has_at_most_four_calls_also_when_one_of_them_has_ended(sandbox, owner, receiver, unending):
    webhook = register(sandbox, owner, receiver.url)
    happen(sandbox.database, *(cells_changed() for _ in range(12)))
    unending.planner.step()
    unending.sender.step()

    end(next(iter(unending.sender._calls)))
    unending.sender.step()

    assert of_each(unending) == {webhook["id"]: 4}


def test_however_much_waits_for_some_every_webhook_has_its_turn(sandbox, owner, receiver, unending):
    crowd = {register(sandbox, owner, receiver.url)["id"] for _ in range(8)}
    happen(sandbox.database, *(cells_changed() for _ in range(12)))
    unending.planner.step()
    unending.sender.step()
    assert of_each(unending) == dict.fromkeys(crowd, 4)  # every caller has somebody

    late = register(sandbox, owner, receiver.url)["id"]
    happen(sandbox.database, cells_changed())
    unending.planner.step()
    end(next(iter(unending.sender._calls)))
    unending.sender.step()

    assert of_each(unending)[late] == 1


NODE = """
import { readFileSync } from "node:fs";
const { verified } = await import(process.argv[1]);
for (const [secret, headers, body] of JSON.parse(readFileSync(0, "utf8"))) console.log(verified(secret, headers, body));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node to run the JavaScript of docs/webhooks.md")
def test_the_javascript_of_the_guide_verifies_what_is_signed_and_nothing_else(tmp_path):
    (code,) = re.findall(r"^```js\n(.*?)^```$", (ROOT / "docs/webhooks.md").read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "verify.mjs").write_text(code)
    signatures, body = Signatures("k"), b'{"type":"cells.changed"}'
    at = int(now().timestamp())
    both, late = (signatures.headers("w", [2, 1], event_id="e", at=when, body=body) for when in (at, at - 400))
    new, old, other = (signatures.secret("w", number) for number in (2, 1, 3))
    cases = [(new, both, body), (old, both, body), (other, both, body), (new, both, body + b" "), (new, late, body)]
    given = json.dumps([(secret, headers, text.decode()) for secret, headers, text in cases])
    ran = subprocess.run(
        ["node", "--input-type=module", "-e", NODE, str(tmp_path / "verify.mjs")],
        input=given, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert ran.stdout.split() == ["true", "true", "false", "false", "false"]


def test_the_reference_shows_what_is_sent(sandbox, owner, receiver, works):
    """Every event has an example whose fields are those that are really sent."""
    shown = sandbox.http.get("/openapi.json").json()["webhooks"]
    webhook = register(sandbox, owner, receiver.url)
    happen(sandbox.database, cells_changed(), submitted(), signalled())
    sandbox.http.post(f"/v1/webhooks/{webhook['id']}/test", headers=owner)
    works.run()
    assert {one["type"] for one in receiver.told} == shown.keys() - {"reset"}
    for headers, body in receiver.calls:
        told = json.loads(body)
        call = shown[told["type"]]["post"]
        (example,) = call["requestBody"]["content"]["application/json"]["examples"].values()
        assert told.keys() == example["value"].keys()
        assert told["data"].keys() - {"submissions"} == example["value"]["data"].keys()
        assert {one["name"] for one in call["parameters"]} <= headers.keys()
