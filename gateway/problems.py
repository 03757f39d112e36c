"""What can go wrong at the door, before a service has said anything."""

from shared.problems import Problem


class MethodNotAllowed(Problem):
    """This address does not take that method.

    The `Allow` header lists the methods it takes.
    """

    status, slug = 405, "method-not-allowed"


class AmbiguousAddress(Problem):
    """The path could be read in two ways.

    A path may not hold `.` or `..` as a step, an empty step, an encoded slash or backslash, or a control character.
    """

    status, slug = 400, "ambiguous-address"


class TooManyRequests(Problem):
    """More requests than this caller may make in the time.

    `Retry-After` gives the seconds until the next window opens; `RateLimit` on every answer says what is left.
    """

    status, slug = 429, "too-many-requests"


class TooManyCells(Problem):
    """The client has read as many figures as it may in a minute.

    `RateLimit` on answers with figures says how many cells are left, and `Retry-After` when there are more. Ask with
    `If-None-Match`: an answer that has not changed costs none.
    """

    status, slug = 429, "too-many-cells"


class BodyTooLarge(Problem):
    """The body is larger than this address takes."""

    status, slug = 413, "body-too-large"


class HeadersTooLarge(Problem):
    """The headers of the request are too large."""

    status, slug = 431, "headers-too-large"


class RequestTooSlow(Problem):
    """The body of the request stopped coming, or came too slowly."""

    status, slug = 408, "request-too-slow"


class BrokenAnswer(Problem):
    """The service behind this address broke off or answered what is not HTTP.

    A request that changes something may or may not have been carried out: send it again with the same
    `Idempotency-Key`.
    """

    status, slug = 502, "broken-answer"


class ServiceUnreachable(Problem):
    """The service behind this address cannot be reached just now.

    Nothing was sent to it, so the request can be repeated safely after `Retry-After` seconds.
    """

    status, slug = 503, "service-unreachable"


class OnlyInTheSandbox(Problem):
    """That is for the sandbox, and this is not one.

    `X-Sandbox-Clock` and `X-Scenario` are for trying things out. Nothing was done: a client that means to be in the
    sandbox has the wrong address.
    """

    status, slug = 422, "only-in-the-sandbox"


class OriginNotAllowed(Problem):
    """Pages of this origin may not call from a browser, or not in this way.

    The operators name the origins whose pages may, in `PSIP_ALLOWED_ORIGINS`.
    """

    status, slug = 403, "origin-not-allowed"


class PartMissing(Problem):
    """A part of the page is missing, and the caller asked for all or nothing.

    `errors` names the parts. Without `strict=true` the page comes with what there is.
    """

    status, slug = 502, "part-missing"


class AccessUncertain(Problem):
    """The gateway cannot tell just now which clients are still allowed in, and lets nobody through until it can."""

    status, slug = 503, "access-uncertain"
