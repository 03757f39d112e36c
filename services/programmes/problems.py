"""What can be wrong with a request to the registry."""

from shared.problems import Problem


class UnknownProgramme(Problem):
    """No programme has this name."""

    status, slug = 404, "unknown-programme"


class UnknownMeasure(Problem):
    """No measure has this name."""

    status, slug = 404, "unknown-measure"


class UnknownTarget(Problem):
    """No target has this name."""

    status, slug = 404, "unknown-target"


class UnknownFeed(Problem):
    """No feed has this name."""

    status, slug = 404, "unknown-feed"


class UnknownOrganisation(Problem):
    """No organisation has this code or identifier."""

    status, slug = 404, "unknown-organisation"


class UnknownEnrolment(Problem):
    """There is no such enrolment that the caller may see."""

    status, slug = 404, "unknown-enrolment"


class UnknownAnnotation(Problem):
    """There is no such annotation that the caller may see."""

    status, slug = 404, "unknown-annotation"


class NoDraft(Problem):
    """No draft of this measure is being worked on."""

    status, slug = 404, "no-draft"


class NotYours(Problem):
    """This belongs to an organisation that the caller does not act for."""

    status, slug = 403, "not-your-organisation"


class SecondPersonNeeded(Problem):
    """Who wrote it cannot also approve it."""

    status, slug = 403, "second-person-needed"


class PublishedOtherwise(Problem):
    """This version was published with another content."""

    status, slug = 409, "published-otherwise"


class AlreadyThere(Problem):
    """There is one of these already."""

    status, slug = 409, "already-there"


class InvalidDefinition(Problem):
    """The definition cannot be computed as it is written."""

    status, slug = 422, "invalid-definition"


class InvalidOrganisation(Problem):
    """What is said of the organisation cannot be true."""

    status, slug = 422, "invalid-organisation"


class InvalidTarget(Problem):
    """The target lacks something it needs."""

    status, slug = 422, "invalid-target"


class InvalidProgramme(Problem):
    """The programme cannot be registered as it is written."""

    status, slug = 422, "invalid-programme"


class InvalidEnrolment(Problem):
    """The enrolment cannot be recorded as it is written."""

    status, slug = 422, "invalid-enrolment"


class InvalidAnnotation(Problem):
    """The annotation cannot be recorded as it is written."""

    status, slug = 422, "invalid-annotation"
