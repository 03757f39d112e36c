"""Live updates over HTTP: the stream."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from gateway.live.hub import Hub
from gateway.live.parameters import EventName, MeasureId, OrganisationCode, check_places, check_scopes
from gateway.live.problems import TooManyStreams, UnknownOrganisation
from gateway.live.sight import Wanted
from gateway.live.stream import EventStream
from gateway.visitors import Visitor
from shared.principal import Principal, caller
from shared.problems import Forbidden, Unavailable, problems

MOST = 10_000  # streams of one gateway process
MOST_OF_ONE = 5_000
RETRY_AFTER = {"Retry-After": "5"}

router = APIRouter(tags=["Live"])
Caller = Annotated[Principal, Depends(caller)]
Events = Annotated[list[EventName], Query(max_length=3, description="Only these events; by default all you may see.")]
Organisations = Annotated[
    list[OrganisationCode],
    Query(
        max_length=100,
        description="Only what is about these organisations or what lies within them.",
        examples=[["RGT"]],
    ),
]
Measures = Annotated[
    list[MeasureId], Query(max_length=100, description="Only what is about these measures.", examples=[["mn-preterm"]])
]
LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", description="The `id` you had last: you are told what came after it."),
]
STREAM: dict[str, Any] = {
    "description": "Events, for as long as the connection and the access token last.",
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "examples": {
                "figures": {
                    "summary": "Figures of one organisation were computed anew",
                    "value": "retry: 1200\n\n: 41\nid: 41\n\nid: 42\nevent: cells.changed\n"
                    'data: {"organisation":"RGT","measures":["mn-preterm"],"periods":["2026-09"],"data_version":17,'
                    '"changed_at":"2026-10-05T12:30:00Z","links":{"matrix":"/v1/matrix?organisation=RGT"}}\n\n',
                },
                "signal": {
                    "summary": "A chart signals",
                    "value": "id: 43\nevent: signal.detected\n"
                    'data: {"organisation":"RGT","measure":"mn-preterm","period":"2026-09","variation":"concern_high",'
                    '"state":"detected","data_version":17,"detected_at":"2026-10-05T12:30:00Z",'
                    '"links":{"chart":"/v1/charts/mn-preterm/RGT"}}\n\n',
                },
                "submission": {
                    "summary": "A submission was dealt with",
                    "value": "id: 44\nevent: submission.completed\n"
                    'data: {"id":"01999999-0000-7000-8000-000000000001","feed":"births","organisation":"RGT",'
                    '"status":"accepted","submitted_by":"example-trust","completed_at":"2026-10-05T12:29:58Z",'
                    '"links":{"submission":"/v1/submissions/01999999-0000-7000-8000-000000000001"}}\n\n',
                },
                "reset": {
                    "summary": "What came after your Last-Event-ID is no longer kept: read afresh what you show",
                    "value": 'id: 9000\nevent: reset\ndata: {"missed":true,"kept_after":8000,"newest":9000}\n\n',
                },
            },
        }
    },
}


@router.get(
    "/v1/stream",
    response_class=Response,
    responses={200: STREAM, **problems(Forbidden, UnknownOrganisation, TooManyStreams)},
)
async def open_stream(
    request: Request,
    caller: Caller,
    event: Events = [],  # noqa: B006 - FastAPI copies it
    organisation: Organisations = [],  # noqa: B006
    measure: Measures = [],  # noqa: B006
    last_event_id: LastEventId = None,
) -> Response:
    """What happens, as it happens (server-sent events): submissions dealt with, figures computed anew, signals.

    You are told what you could read: `submission.completed` as receipts (`submissions:read`), the others with
    `measures:read`; signals of charts with small numbers only where you see them exactly. Events name what to read
    again and hold no figure. Send the last `id` as `Last-Event-ID` to go on where you left off, within seven days and
    on any replica; `reset` tells that something was missed. The stream ends with your access token: come back with a
    new one. A comment comes every 15 seconds.
    """
    hub: Hub = request.app.state.hub
    visitor: Visitor = request.scope["state"]["visitor"]
    if not hub.ready:
        raise Unavailable("the live log cannot be read just now", headers=RETRY_AFTER)
    if hub.closing or hub.streams >= MOST or hub.of(caller.client_id) >= MOST_OF_ONE:
        raise TooManyStreams(headers=RETRY_AFTER)
    check_scopes(caller, event)
    check_places(hub.places, organisation)
    wanted = Wanted(frozenset(event), frozenset(organisation), frozenset(measure))
    return EventStream(hub, visitor, wanted, last_event_id=last_event_id)
