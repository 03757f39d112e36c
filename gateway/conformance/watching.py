"""Writes into the ledger what clients do in the sandbox, as it passes the door."""

from urllib.parse import parse_qsl

from starlette.types import Message, Scope, Send

from gateway.conformance.checks import Deed, Ledger


def followed(ledger: Ledger, client_id: str, scope: Scope, send: Send) -> Send:
    """The same `send`; when the answer begins, what was done is noted."""
    headers = dict(scope["headers"])
    query = dict(parse_qsl(scope["query_string"].decode("latin-1")))

    async def noting(message: Message) -> None:
        if message["type"] == "http.response.start":
            answered = dict(message.get("headers", ()))
            ledger.note(
                client_id,
                Deed(
                    method=scope["method"],
                    path=scope["route"].path,
                    query=query,
                    compressed=headers.get(b"content-encoding", b"identity") != b"identity",
                    status=message["status"],
                    replayed=answered.get(b"idempotency-replayed") == b"true",
                ),
            )
        await send(message)

    return noting
