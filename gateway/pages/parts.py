"""THE TABLES of composites: of which parts a page is made, and where each comes from."""

from typing import Final, NamedTuple

from gateway.routes import INGEST, MEASURES, PROGRAMMES

LIST = "limit=100"
NEWEST = "limit=20"


class Part(NamedTuple):
    """One part: its name in the answer, its service, and the address there. Without the `essential` one is no page."""

    name: str
    service: str
    address: str
    essential: bool = False


ORGANISATION: Final = (
    Part("organisation", PROGRAMMES, "/v1/organisations/{id}?around=true", essential=True),
    Part("enrolments", PROGRAMMES, f"/v1/enrolments?organisation={{id}}&{LIST}"),
    Part("annotations", PROGRAMMES, f"/v1/annotations?organisation={{id}}&{LIST}"),
    Part("matrix", MEASURES, "/v1/matrix?organisation={id}"),
    Part("signals", MEASURES, f"/v1/signals?organisation={{id}}&state=detected&{NEWEST}"),
    Part("returns", INGEST, f"/v1/returns?organisation={{id}}&{NEWEST}"),
)
PROGRAMME: Final = (
    Part("programme", PROGRAMMES, "/v1/programmes/{id}", essential=True),
    Part("driver_diagram", PROGRAMMES, "/v1/programmes/{id}/driver-diagram"),
    Part("adoption", PROGRAMMES, "/v1/programmes/{id}/adoption"),
    Part("measures", PROGRAMMES, f"/v1/measures?programme={{id}}&{LIST}"),
    Part("targets", PROGRAMMES, f"/v1/targets?programme={{id}}&{LIST}"),
    Part("matrix", MEASURES, "/v1/matrix?organisation=ENGLAND&programme={id}"),
)
