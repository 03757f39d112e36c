"""What can be wrong with a question to measures."""

from shared.problems import Problem


class UnknownMeasure(Problem):
    """No measure has this name."""

    status, slug = 404, "unknown-measure"


class NoDraft(Problem):
    """No draft of this measure is being worked on."""

    status, slug = 404, "no-draft"


class UnknownOrganisation(Problem):
    """There is no organisation with this code that the caller may see."""

    status, slug = 404, "unknown-organisation"


class UnknownTarget(Problem):
    """No target has this id."""

    status, slug = 404, "unknown-target"


class InvalidPeriod(Problem):
    """A period is not written as periods are, or the range is empty."""

    status, slug = 422, "invalid-period"


class NoSuchFigure(Problem):
    """There is no figure of this measure, organisation, period and stratum."""

    status, slug = 404, "no-such-figure"


class NotComparable(Problem):
    """This measure cannot be compared in this way."""

    status, slug = 422, "not-comparable"


class InvalidDefinition(Problem):
    """A definition cannot be computed."""

    status, slug = 422, "invalid-definition"


class InvalidSeries(Problem):
    """A series cannot be charted."""

    status, slug = 422, "invalid-series"


class InvalidStatistic(Problem):
    """A statistic cannot be computed from these rows."""

    status, slug = 422, "invalid-statistic"
