"""What webhooks and deliveries look like to their owners."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.live.parameters import EventName, MeasureId, OrganisationCode

Url = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Description = Annotated[str, StringConstraints(max_length=500)]
Cursor = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}$")]
Events = Annotated[list[EventName], Field(max_length=3, description="Only these; empty: all that the client may see.")]
Organisations = Annotated[
    list[OrganisationCode],
    Field(max_length=100, description="Only what is about these or what lies within them; empty: all."),
]
Measures = Annotated[list[MeasureId], Field(max_length=100, description="Only what is about these; empty: all.")]


class _Exact(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewWebhook(_Exact):
    """A webhook to register: where to call, and what of. https only, and a host in the public."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "url": "https://dashboard.example.nhs.uk/hooks/psip",
                    "description": "Redraws the ward boards",
                    "events": ["cells.changed", "signal.detected"],
                    "organisations": ["RGT"],
                }
            ]
        },
    )

    url: Url
    description: Description = ""
    events: Events = []
    organisations: Organisations = []
    measures: Measures = []


class WebhookChange(_Exact):
    """What is to be otherwise; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"enabled": True}]})

    url: Url | None = None
    description: Description | None = None
    events: Events | None = None
    organisations: Organisations | None = None
    measures: Measures | None = None
    enabled: bool | None = Field(
        default=None, description="True goes on from `cursor`, as far back as events are kept; false carries nothing."
    )


class SecretRotation(_Exact):
    """How a webhook changes over to a new secret."""

    overlap_seconds: int = Field(
        default=86_400,
        ge=0,
        le=7 * 86_400,
        description="How long deliveries are signed with the secret in use as well. 0 ends it at once.",
    )


class Replay(_Exact):
    """From where on everything is to be carried again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"after": "41"}]})

    after: Cursor = Field(description="The `cursor` of the last event you are sure of; what came after it comes again.")


class Webhook(BaseModel):
    """A webhook, how it fares and how far it has come."""

    id: str
    url: str
    description: str
    events: list[str]
    organisations: list[str]
    measures: list[str]
    enabled: bool
    disabled_at: datetime | None
    disabled_because: str | None
    cursor: str = Field(description="The last event that was considered for it.")
    waiting: int = Field(description="Deliveries that are still to be made.")
    parked: int = Field(description="Deliveries that were tried as often as any is; a replay tries them again.")
    succeeded_at: datetime | None
    failing_since: datetime | None
    registered_at: datetime
    changed_at: datetime


class WebhookWithSecret(Webhook):
    """A webhook and its secret, which is shown this once and never again."""

    secret: str = Field(description="`whsec_` and the key in base64, as Standard Webhooks libraries take it.")


class Webhooks(BaseModel):
    """A client's webhooks."""

    items: list[Webhook]
    next_cursor: str | None


class Delivery(BaseModel):
    """One event on its way to a webhook."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    event_id: str = Field(description="The header `webhook-id` of every attempt: what to know a repeat by.")
    event: str
    cursor: str | None
    at: datetime = Field(description="When it happened.")
    state: Literal["waiting", "delivered", "parked"]
    attempts: int
    due_at: datetime | None = Field(description="When it is tried next; null when it is not.")
    tried_at: datetime | None
    status: int | None = Field(description="What the address answered last.")
    reason: str | None = Field(description="Why the last attempt failed.")
    data: dict[str, Any]


class Deliveries(BaseModel):
    """A page of deliveries, newest first."""

    items: list[Delivery]
    next_cursor: str | None
