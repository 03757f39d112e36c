"""What measures hears: the registry's definitions, feeds, targets, organisations and annotations, every return, and
what was sent of which nothing stands."""

from services.measures import commands
from shared.contracts.ingest import QuarantineSettled, ReturnPublished, SubmissionCompleted
from shared.contracts.programmes import (
    AnnotationSet,
    FeedPublished,
    MeasurePublished,
    OrganisationChanged,
    TargetSet,
)
from shared.messaging.consumer import Handlers

HANDLERS: Handlers = {
    FeedPublished: commands.adopt_feeds,
    MeasurePublished: commands.adopt_measures,
    OrganisationChanged: commands.adopt_organisations,
    TargetSet: commands.adopt_targets,
    AnnotationSet: commands.adopt_annotations,
    ReturnPublished: commands.apply_returns,
    SubmissionCompleted: commands.note_quarantined,
    QuarantineSettled: commands.settle_quarantined,
}
