"""The door every request comes through: where does it go, who asks, may they, have they asked too often.

It stands inside `FollowTrail` (ids, metrics, log) and before the gateway's own routes. Those are reached like any
service, with a signed principal; only there is no wire between.
"""

from collections.abc import Iterable
from functools import partial
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from fastapi import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import sandbox
from gateway.access.audit import AuditLog
from gateway.access.roster import Roster
from gateway.access.watched import event_of, subjects
from gateway.conformance.checks import Ledger
from gateway.conformance.watching import followed
from gateway.deprecations import DEPRECATED, Deprecation, announcements
from gateway.limits import CELLS, Allowance, Limits, cells_of, neighbourhood, too_many, too_many_cells
from gateway.proxy import NOSNIFF, Proxy
from gateway.routes import ANY_CLIENT, FIGURES, GATEWAY, OPERATIONS, PUBLIC, Routes, Row
from gateway.service import ClientGone
from gateway.uploads import Upload, framing
from gateway.visitors import Visitor, Visitors
from gateway.wire import Answer, Headers
from shared import problems
from shared.principal import HEADER
from shared.problems import Forbidden, NotFound, Problem

REFUSALS = frozenset({401, 403, 429})
PRINCIPAL = HEADER.lower().encode()
_CELLS = CELLS.encode()
CLIENT_GONE = 499
LONGEST_ADDRESS = 64  # a proxy that is believed may say anything
NO_ALLOWANCE = Allowance([], None)


class Visit(NamedTuple):
    """A request that has been let in. `visitor` is None where anybody may come."""

    row: Row
    need: str
    visitor: Visitor | None
    allowance: Allowance
    asked: sandbox.Asked = sandbox.NOTHING


class Refusal(Exception):
    """A request that was not let in: the problem to answer with, what is left to its caller, and who that is."""

    def __init__(self, problem: Problem, allowance: Allowance, visitor: Visitor | None = None) -> None:
        super().__init__(problem.slug)
        self.problem, self.allowance, self.visitor = problem, allowance, visitor


class Door:
    """ASGI middleware; `app` has the gateway's own routes. `routes` may be replaced while it stands."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        routes: Routes,
        visitors: Visitors,
        roster: Roster,
        limits: Limits,
        proxy: Proxy,
        audit: AuditLog,
        operations_networks: tuple[str, ...],
        going: Iterable[Deprecation] = DEPRECATED,
        ledger: Ledger | None = None,
    ) -> None:
        self.app, self.routes = app, routes
        self._visitors, self._roster, self._limits, self._proxy, self._audit = visitors, roster, limits, proxy, audit
        self._operations = [ip_network(one) for one in operations_networks]
        self._announced = announcements(going)
        self._ledger = ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the application's start and end pass through."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = scope["client"][0][:LONGEST_ADDRESS] if scope["client"] else ""
        try:
            visit = await self._admit(scope, address)
        except Refusal as refusal:
            await _answer(refusal.problem, refusal.allowance.headers, scope, receive, send)
            self._note_refusal(scope, address, refusal.visitor, refusal.problem.status)
            self._watch(refusal.visitor, wait=refusal.allowance.wait)
            return
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}  # the server keeps the body back
        self._watch(visit.visitor)
        if self._ledger is not None and visit.visitor is not None:
            send = followed(self._ledger, visit.visitor.principal.client_id, scope, send)
        await visit.asked.pause()
        serve = self._serve_own if visit.row.service == GATEWAY else self._forward
        try:
            status = await serve(scope, receive, send, visit)
        except Problem as problem:
            await _answer(problem, visit.allowance.headers, scope, receive, send)
            status = problem.status
        except ClientGone:
            status = await _note_gone(send)
        self._note(scope, address, visit, status)

    async def _admit(self, scope: Scope, address: str) -> Visit:
        """Find where the request goes and whether it may. Raises Refusal."""
        visitor = None
        try:
            row, need = self.routes.find(scope["method"], scope["raw_path"])
            scope["route"] = row
            if need == OPERATIONS:
                self._refuse_outsiders(address)
            elif need != PUBLIC:
                visitor = await self._visitors.identify(_authorization(scope))
            asked = sandbox.asked(scope["headers"], sandbox=self._ledger is not None)
        except Problem as problem:
            allowance = await self._limits.anonymous.take(neighbourhood(address))
            raise Refusal(too_many(allowance) if allowance.wait else problem, allowance) from problem
        if need == OPERATIONS:
            return Visit(row, need, None, NO_ALLOWANCE)
        allowance = await self._take(address, visitor, busy=asked.busy)
        if told := self._announced.get((scope["method"], row.path)):
            allowance = allowance._replace(headers=[*allowance.headers, *told])
        visit = Visit(row, need, visitor, allowance, asked)
        await self._refuse_who_may_not(visit)
        return visit

    async def _take(self, address: str, visitor: Visitor | None, *, busy: bool) -> Allowance:
        """What is left to the caller after this request, which is counted."""
        if visitor is None:
            allowance = await self._limits.anonymous.take(neighbourhood(address))
        else:
            allowance = await self._limits.client.take(visitor.principal.client_id)
        return allowance._replace(wait=sandbox.BUSY_SECONDS) if busy else allowance

    async def _refuse_who_may_not(self, visit: Visit) -> None:
        need, visitor, allowance = visit.need, visit.visitor, visit.allowance
        if allowance.wait:
            raise Refusal(too_many(allowance), allowance, visitor)
        if visitor is None or need == ANY_CLIENT:
            return
        if not visitor.principal.may(need):
            raise Refusal(_lacks(need), allowance, visitor)
        if need == FIGURES:
            cells = await self._limits.cells.look(visitor.principal.client_id)
            if cells.wait:
                raise Refusal(too_many_cells(cells), allowance.beside(cells)._replace(wait=cells.wait), visitor)

    def _refuse_outsiders(self, address: str) -> None:
        try:
            inside = any(ip_address(address) in network for network in self._operations)
        except ValueError:
            inside = False
        if not inside:
            raise NotFound("there is no such address; /docs lists those there are")

    async def _forward(self, scope: Scope, receive: Receive, send: Send, visit: Visit) -> int:
        assert visit.visitor is not None  # noqa: S101 - no service has a public address
        return await self._proxy.forward(
            scope,
            receive,
            send,
            row=visit.row,
            principal=self._visitors.sign(visit.visitor, supposed=visit.asked.supposed),
            extra=partial(self._told, visit) if visit.need == FIGURES else visit.allowance.headers,
        )

    async def _told(self, visit: Visit, answer: Answer) -> Headers:
        """The headers of an answer with figures: its cells are counted before it is given."""
        cells = cells_of(next((value.decode("latin-1") for name, value in answer.headers if name == _CELLS), ""))
        if visit.visitor is None or answer.status != HTTPStatus.OK or not cells:
            return visit.allowance.headers
        left = await self._limits.cells.charge(visit.visitor.principal.client_id, cells)
        return visit.allowance.beside(left).headers

    async def _serve_own(self, scope: Scope, receive: Receive, send: Send, visit: Visit) -> int:
        headers = [header for header in scope["headers"] if header[0] != PRINCIPAL]
        if visit.visitor is not None:
            headers.append((PRINCIPAL, self._visitors.sign(visit.visitor, supposed=visit.asked.supposed)))
        status = 500

        async def send_with_allowance(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *visit.allowance.headers, NOSNIFF]
                if visit.need == "clients:write" and status < 300:
                    await self._roster.try_to_refresh()  # it has been committed: felt here before it is answered
            await send(message)

        if framed := framing(scope["headers"], visit.row):
            receive = _first(await Upload(receive, visit.row, framed).whole(), receive)
        state = scope["state"] | {"visitor": visit.visitor}
        await self.app({**scope, "headers": headers, "state": state}, receive, send_with_allowance)
        return status

    def _watch(self, visitor: Visitor | None, *, wait: int | None = None) -> None:
        """In the sandbox: whether a client that was told to wait does."""
        if self._ledger is None or visitor is None:
            return
        self._ledger.came(visitor.principal.client_id)
        if wait is not None:
            self._ledger.told_to_wait(visitor.principal.client_id, wait)

    def _note(self, scope: Scope, address: str, visit: Visit, status: int) -> None:
        """Into the audit with what is kept there of a request that was let in."""
        if status in REFUSALS:
            self._note_refusal(scope, address, visit.visitor, status)
        elif visit.visitor is not None:
            row, principal = visit.row, visit.visitor.principal
            event = event_of(row, visit.need, scope["method"], status, principal)
            if event is not None:
                about = subjects(row, scope["path"], scope["query_string"].decode("latin-1")) if status < 400 else {}
                self._audit.note(
                    event, client_id=principal.client_id, address=address, method=scope["method"], route=row.path,
                    status=status, **about,
                )  # fmt: skip

    def _note_refusal(self, scope: Scope, address: str, visitor: Visitor | None, status: int) -> None:
        if status in REFUSALS:
            self._audit.note(
                "request.refused",
                client_id=visitor.principal.client_id if visitor else None,
                address=address,
                method=scope["method"],
                route=getattr(scope.get("route"), "path", "unknown"),
                status=status,
            )


def _first(body: bytes, receive: Receive) -> Receive:
    """Gives the body, which has been read; then whatever else comes."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return messages.pop() if messages else await receive()

    return give


def _authorization(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization: bytes = value
            return authorization
    return None


def _lacks(scope: str) -> Forbidden:
    challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
    return Forbidden(f"this needs the scope {scope}", headers={"WWW-Authenticate": challenge})


async def _note_gone(send: Send) -> int:
    """Nobody will read this; the log and the metrics will."""
    await send({"type": "http.response.start", "status": CLIENT_GONE, "headers": []})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    return CLIENT_GONE


async def _answer(problem: Problem, extra: Headers, scope: Scope, receive: Receive, send: Send) -> None:
    response: Response = problems.answer(problem, request_id=scope["state"]["request_id"])
    response.raw_headers.extend([*extra, NOSNIFF, (b"cache-control", b"no-store")])
    await response(scope, receive, send)
