"""What ingest hears: the registry's feeds, organisations and measures, without which no row can be checked."""

from services.ingest import commands
from shared.contracts.programmes import FeedPublished, MeasurePublished, OrganisationChanged
from shared.messaging.consumer import Handlers

HANDLERS: Handlers = {
    FeedPublished: commands.adopt_feeds,
    OrganisationChanged: commands.adopt_organisations,
    MeasurePublished: commands.adopt_measures,
}
