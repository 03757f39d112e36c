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
