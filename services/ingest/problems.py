"""What can be wrong with a request to ingest."""

from shared.problems import Problem


class UnknownFeed(Problem):
    """No feed has this name."""

    status, slug = 422, "unknown-feed"


class UnknownFeedVersion(Problem):
    """This version of the feed may not be sent, or there is none of this name."""

    status, slug = 422, "unknown-feed-version"


class UnknownOrganisation(Problem):
    """No organisation has this code."""

    status, slug = 422, "unknown-organisation"


class NotYourOrganisation(Problem):
    """The caller does not act for this organisation."""

    status, slug = 403, "not-your-organisation"


class UnknownSubmission(Problem):
    """There is no submission with this id that the caller may see."""

    status, slug = 404, "unknown-submission"


class UnreadableFile(Problem):
    """The file cannot be read as what it says it is; nothing of it was stored."""

    status, slug = 422, "unreadable-file"


class UnsupportedFormat(Problem):
    """Rows are not taken in this format."""

    status, slug = 415, "unsupported-format"


class TooLarge(Problem):
    """The body is larger than this service takes."""

    status, slug = 413, "too-large"


class AlreadyWithdrawn(Problem):
    """The submission was withdrawn before."""

    status, slug = 409, "already-withdrawn"


class UnknownRow(Problem):
    """No row of this line was rejected."""

    status, slug = 404, "unknown-row"


class AlreadyResolved(Problem):
    """The row was corrected or waived before."""

    status, slug = 409, "already-resolved"


class RefusedAsAWhole(Problem):
    """The whole file was refused: mend it and send it again, its rows cannot be corrected one by one."""

    status, slug = 409, "refused-as-a-whole"


class StillWrong(Problem):
    """The row is still wrong; nothing was changed."""

    status, slug = 422, "still-wrong"


class TooManyRows(Problem):
    """The client has sent as many rows as it may in a minute."""

    status, slug = 429, "too-many-rows"


class TooBusy(Problem):
    """Too many large files are being dealt with."""

    status, slug = 503, "too-busy"


class NoRoom(Problem):
    """There is no room to store it just now."""

    status, slug = 503, "no-room"
