"""The client: tokens, retries and the few calls that a supplier or an analyst makes."""

import json
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from psip.answers import Receipt, Series
from psip.bodies import Body, Rows, body_of, watched
from psip.live import QUIET_SECONDS, LiveStream
from psip.problems import LATER, LONGEST_PAUSE, UNCERTAIN, PsipProblem, seconds_asked

NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
RENEW_SECONDS = 30.0
Mode = Literal["replace", "merge"]
LiveName = Literal["submission.completed", "cells.changed", "signal.detected"]
Basis = Literal["as_was", "as_is_now"]


class Client:
    """The platform, as one client of it. Threads may share it; close it when done, or use it in a `with`.

    `timeout` is in seconds, for connecting and for each pause in an answer. A request that the platform is too busy
    for, or that the connection lost, is sent again up to `attempts` times in all: with the same Idempotency-Key where
    it is a POST, so that it is carried out once. Every call raises `PsipProblem` for a refusal, and
    httpx.TransportError when the platform cannot be reached at all.
    """

    def __init__(
        self,
        base_url: str,
        client_id: str,
        client_secret: str,
        *,
        timeout: float = 60.0,
        attempts: int = 6,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=timeout)
        self._credentials = httpx.BasicAuth(client_id, client_secret)
        self._attempts, self._sleep = attempts, sleep
        self._renewing = threading.Lock()
        self._token, self._token_ends = "", 0.0

    def submit(
        self,
        what: Rows | Path | str | bytes | None,
        *,
        feed: str,
        organisation: str | None = None,
        period: str | None = None,
        mode: Mode | None = None,
        feed_version: str | None = None,
        final: bool = False,
        atomic: bool = False,
        dry_run: bool = False,
        wait: int = 10,
        idempotency_key: str | None = None,
        content_type: str | None = None,
        sent: Callable[[int], None] | None = None,
    ) -> Receipt:
        """Send rows of a feed: mappings, a path (streamed; `.csv.gz` and the like too) or bytes (CSV unless told).

        None says that there was nothing to report: a nil return of `organisation` for `period`, which otherwise fill
        in rows that do not name theirs. The platform is given `wait` seconds to finish; `wait()` waits for longer. The
        same `idempotency_key` makes a later call with the same content answer as this one; by default it is new. `sent`
        is told, again and again, how many bytes of a file have gone.
        """
        flags = {"final": final, "atomic": atomic, "dry_run": dry_run, "nil": what is None}
        params = {
            "feed": feed,
            "feed_version": feed_version,
            "organisation": organisation,
            "period": period,
            "mode": mode,
        }
        body = body_of(what, content_type) if sent is None else watched(body_of(what, content_type), sent)
        headers = {"Prefer": f"wait={wait}", "Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        response = self._send(
            "POST",
            "/v1/submissions",
            params=_given(params) | {name: "true" for name, on in flags.items() if on},
            body=Body(body.open, body.headers | headers),
        )
        return Receipt.of(response.json(), replayed=response.headers.get("Idempotency-Replayed") == "true")

    def wait(self, receipt: Receipt, *, seconds: float = 600.0) -> Receipt:
        """The receipt once the platform has finished with the submission. Raises TimeoutError if it takes longer."""
        pause, waited = 0.1, 0.0
        while not receipt.done:
            if waited >= seconds:
                raise TimeoutError(f"submission {receipt.id} is still being processed after {seconds:.0f} s")
            self._sleep(pause)
            waited, pause = waited + pause, min(pause * 1.5, 5.0)
            receipt = Receipt.of(self.get(f"/v1/submissions/{receipt.id}"))
        return receipt

    def series(
        self,
        measure: str,
        organisation: str,
        *,
        first: str | None = None,
        last: str | None = None,
        stratum: str | None = None,
        by: str | None = None,
        known_at: datetime | None = None,
        org_basis: Basis | None = None,
    ) -> Series:
        """One measure for one organisation, from period `first` to `last`; `by="imd_quintile"` gives every stratum."""
        document = self.get(
            "/v1/series",
            measure=measure,
            organisation=organisation,
            **_span(first, last),
            stratum=stratum,
            by=by,
            known_at=known_at,
            org_basis=org_basis,
        )
        return Series(document["items"], document)

    def chart(
        self,
        measure: str,
        organisation: str,
        *,
        chart: str | None = None,
        first: str | None = None,
        last: str | None = None,
        stratum: str | None = None,
        known_at: datetime | None = None,
        org_basis: Basis | None = None,
    ) -> dict[str, Any]:
        """Everything needed to draw the chart of a measure: points, limits, signals, target, annotations, words."""
        found: dict[str, Any] = self.get(
            f"/v1/charts/{measure}/{organisation}",
            chart=chart,
            **_span(first, last),
            stratum=stratum,
            known_at=known_at,
            org_basis=org_basis,
        )
        return found

    def stream(
        self,
        *,
        events: Sequence[LiveName] = (),
        organisations: Sequence[str] = (),
        measures: Sequence[str] = (),
        after: str | None = None,
    ) -> LiveStream:
        """What happens, as it happens: an endless iterator that goes on by itself when a connection ends.

        Only these events, about these organisations (and what lies within them) and measures; by default all that the
        client may see. `after` is the `id` of the last event known (or a stream's `place`), to be told what came since;
        without it the stream begins with the present. An event named `reset` says that something was missed.
        """
        wanted: dict[str, Sequence[str]] = {"event": events, "organisation": organisations, "measure": measures}

        @contextmanager
        def open_at(place: str | None) -> Iterator[httpx.Response]:
            headers = {"Accept": "text/event-stream"} | ({} if place is None else {"Last-Event-ID": place})
            token = self._bearer()
            for turn in (1, 2):
                bearer = {"Authorization": f"Bearer {token}"}
                timeout = httpx.Timeout(self._http.timeout.connect, read=QUIET_SECONDS)
                with self._http.stream(
                    "GET",
                    "/v1/stream",
                    params={name: list(one) for name, one in wanted.items()},
                    headers=headers | bearer,
                    timeout=timeout,
                ) as response:
                    if response.status_code == 200:
                        yield response
                        return
                    if response.status_code != 401 or turn == 2:
                        response.read()
                        raise PsipProblem.of(response)
                token = self._bearer(instead_of=token)

        return LiveStream(open_at, after=after, attempts=self._attempts, sleep=self._sleep)

    def get(self, path: str, /, **params: Any) -> Any:
        """The JSON at a path. Parameters that are None are left out; dates and instants are written as ISO 8601."""
        return self._send("GET", path, params=_given(params)).json()

    def read(self, path: str, /, **params: Any) -> bytes:
        """What is at a path and is not JSON: a picture (`format="svg"`), CSV, Parquet, rows to be mended."""
        return self._send("GET", path, params=_given(params)).content

    def each(self, path: str, /, **params: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, page after page: `client.each("/v1/organisations", kind="icb")`."""
        page = self.get(path, **params)
        yield from page["items"]
        while cursor := page.get("next_cursor"):
            page = self.get(path, **params | {"cursor": cursor})
            yield from page["items"]

    def post(self, path: str, document: Any, /, **params: Any) -> Any:
        """Send a JSON document to a path: an annotation, organisations, a definition. The answer, or None for none."""
        return self._change("POST", path, document, params)

    def put(self, path: str, document: Any, /, **params: Any) -> Any:
        """Send the whole of what is to be at a path: a draft, an organisation, an enrolment. The answer."""
        return self._change("PUT", path, document, params)

    def patch(self, path: str, document: Any, /, **params: Any) -> Any:
        """Change some of what is at a path: a row in quarantine, a webhook. The answer."""
        return self._change("PATCH", path, document, params)

    def delete(self, path: str, /, **params: Any) -> Any:
        """Take away what is at a path. The answer, or None for none."""
        return self._change("DELETE", path, None, params)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _change(self, method: str, path: str, document: Any, params: Mapping[str, Any]) -> Any:
        encoded = None if document is None else json.dumps(document, default=str).encode()
        body = body_of(encoded, "application/json")
        key = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else {}
        response = self._send(method, path, params=_given(params), body=Body(body.open, body.headers | key))
        return response.json() if response.content else None

    def _send(
        self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Body | None = None
    ) -> httpx.Response:
        """The answer, once there is one that is not to come back later. A token that was ended is renewed once."""
        body = body or body_of(None, None)
        harmless = method == "GET" or "Idempotency-Key" in body.headers

        def answer(token: str) -> httpx.Response:
            headers = body.headers | {"Authorization": f"Bearer {token}"}

            def attempt() -> httpx.Response:
                with body.open() as content:
                    return self._http.request(method, path, params=params, content=content, headers=headers)

            return self._repeated(attempt, harmless=harmless)

        token = self._bearer()
        response = answer(token)
        if response.status_code == 401:
            response = answer(self._bearer(instead_of=token))
        if not response.is_success:
            raise PsipProblem.of(response)
        return response

    def _repeated(self, attempt: Callable[[], httpx.Response], *, harmless: bool) -> httpx.Response:
        """Try until there is an answer to keep; what is not harmless is repeated only if it was not carried out."""
        again = LATER | UNCERTAIN if harmless else LATER
        for number in range(1, self._attempts):
            try:
                response = attempt()
            except httpx.TransportError as error:
                if not (harmless or isinstance(error, NEVER_SENT)):
                    raise
                self._sleep(_pause(number))
            else:
                if response.status_code not in again:
                    return response
                self._sleep(min(seconds_asked(response) or _pause(number), LONGEST_PAUSE))
        return attempt()

    def _bearer(self, *, instead_of: str | None = None) -> str:
        """A token that is good for a while yet, and another than one that was refused."""
        with self._renewing:
            if time.monotonic() >= self._token_ends or self._token == instead_of:
                self._token, seconds = self._new_token()
                self._token_ends = time.monotonic() + seconds - min(RENEW_SECONDS, seconds / 2)
            return self._token

    def _new_token(self) -> tuple[str, float]:
        def attempt() -> httpx.Response:
            form = {"grant_type": "client_credentials"}
            return self._http.post("/oauth2/token", data=form, auth=self._credentials)

        response = self._repeated(attempt, harmless=True)
        if not response.is_success:
            raise PsipProblem.of(response)
        told = response.json()
        return told["access_token"], float(told["expires_in"])


def _given(params: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in params.items() if value is not None}
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in given.items()}


def _span(first: str | None, last: str | None) -> dict[str, Any]:
    return {"from": first, "to": last}


def _pause(number: int) -> float:
    """Seconds before the next attempt: longer each time, and not in step with other clients."""
    return float(min(0.2 * 2.0**number, 5.0) * random.uniform(0.5, 1.0))  # noqa: S311 - not for secrets
