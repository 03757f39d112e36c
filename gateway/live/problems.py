"""What can go wrong with live updates and webhooks."""

from shared.problems import Problem


class UnknownOrganisation(Problem):
    """No organisation has this code.

    The gateway hears of a new organisation a moment after it was registered.
    """

    status, slug = 404, "unknown-organisation"


class TooManyStreams(Problem):
    """This gateway, or your client, has as many streams open as it may have.

    One stream can tell of many organisations and measures: open one and share it. Otherwise try again after
    `Retry-After` seconds.
    """

    status, slug = 503, "too-many-streams"


class UnknownWebhook(Problem):
    """Your client has no webhook with this id."""

    status, slug = 404, "unknown-webhook"


class InvalidWebhook(Problem):
    """Something about this webhook cannot be.

    A webhook is called over https at a host in the public; addresses of private networks are not called.
    """

    status, slug = 422, "invalid-webhook"


class TooManyWebhooks(Problem):
    """Your client has as many webhooks as it may have: change or delete one."""

    status, slug = 409, "too-many-webhooks"


class WebhookDisabled(Problem):
    """This webhook is disabled, so nothing is carried to it: enable it first."""

    status, slug = 409, "webhook-disabled"


class NoLongerKept(Problem):
    """What came after this cursor is no longer kept, or the cursor was never given.

    Events are kept for seven days. Replay from a later cursor, and read afresh what you hold.
    """

    status, slug = 422, "no-longer-kept"
