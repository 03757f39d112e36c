"""What measures hears: the registry's definitions, feeds, targets, organisations and annotations, and every return."""

from services.measures import commands
from shared.contracts.ingest import ReturnPublished
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
}
