"""What the gateway hears: what it tells callers of, and where organisations lie, which decides whom it tells."""

from gateway.live import log, places
from gateway.live.kinds import KINDS
from shared.contracts.programmes import OrganisationChanged
from shared.messaging.consumer import Handlers

HANDLERS: Handlers = {
    OrganisationChanged: places.adopt_organisations,
    **{kind.event: log.note for kind in KINDS},
}
