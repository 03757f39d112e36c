"""What a sender asked for, and whether it may be done at all: nothing here looks at a row."""

import hashlib
from dataclasses import asdict, dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.ingest.commands.body import Body
from services.ingest.models import Submission
from services.ingest.problems import NotYourOrganisation, UnknownOrganisation
from services.ingest.queries.reference import Known
from services.ingest.rules.feeds import Feed, Mode
from services.ingest.rules.reference import RECENTLY, standing
from shared.contracts.periods import Period
from shared.db import take_turn
from shared.principal import Principal
from shared.problems import InvalidRequest
from shared.repeats import reused


@dataclass(frozen=True, slots=True)
class Options:
    """What the sender asked for beside the rows."""

    feed: str
    feed_version: str | None = None
    organisation: str | None = None
    period: str | None = None
    mode: Mode | None = None
    dry_run: bool = False
    atomic: bool = False
    nil: bool = False
    final: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a submission came: its type and encoding, and the key its sender gave it."""

    content_type: str | None
    encoding: str | None
    idempotency_key: str | None


def demand_mode(feed: Feed, options: Options) -> None:
    """Raises InvalidRequest for a mode that the feed does not take."""
    if (options.mode or feed.mode) not in feed.modes:
        raise _wrong("mode", f"the feed {feed.id} takes {' or '.join(feed.modes)}")


def organisation_of(options: Options, caller: Principal, known: Known, today: date) -> str | None:
    """The organisation that the request names, or the only one the caller acts for, by its code."""
    if options.organisation is None:
        own = sorted(caller.organisations)
        return own[0] if len(own) == 1 and not caller.for_everyone else None
    name = options.organisation.strip().upper()
    one = known.reference.organisations.get(name)
    yours = known.yours(caller, on=today)
    code = one.code if one else name
    if yours is not None and code not in yours:
        raise NotYourOrganisation("you do not act for this organisation: leave it out, or ask for its footprint")
    if one is None:
        raise _nobody(name)
    return code


def _nobody(name: str) -> UnknownOrganisation:
    message = f"no organisation has the code {name[:20]!r}; GET /v1/organisations lists them"
    return UnknownOrganisation(message, errors=[{"parameter": "organisation", "message": message}])


def period_of(options: Options) -> str | None:
    """The period that the request names, as the contract writes it. Raises InvalidRequest."""
    if options.period is None:
        return None
    try:
        return Period.parse(options.period).text
    except ValueError as reason:
        raise _wrong("period", str(reason)) from reason


def place_of_nil(options: Options, organisation: str | None, feed: Feed, known: Known, today: date) -> tuple[str, str]:
    """The organisation and period that there was nothing to report of.

    Raises InvalidRequest where a row would be refused, and UnknownOrganisation where one would wait.
    """
    if organisation is None or options.period is None:
        missing = "organisation" if organisation is None else "period"
        raise _wrong(missing, "a nil return needs the organisation and the period it is for")
    period = Period.parse(options.period)
    if feed.period not in ("any", period.grain):
        raise _wrong("period", f"returns of {feed.id} are of a {feed.period}")
    if period.start > today:
        raise _wrong("period", f"{period.text} has not begun: wait until it has ended")
    one = known.reference.organisations.get(organisation)
    if one is None:
        raise _nobody(organisation)
    said, hint = standing(one, period, grace_days=feed.grace_days)
    if said and said != RECENTLY:
        raise _wrong("organisation", f"{hint}: send this for an organisation that was open in {period.text}")
    return organisation, period.text


def _wrong(parameter: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, errors=[{"parameter": parameter, "message": message}])


def fingerprint(body: Body, options: Options) -> str:
    """What is the same for the same content sent in the same way."""
    return hashlib.sha256(f"{body.sha256}{sorted(asdict(options).items())}".encode()).hexdigest()


def answered_before(
    session: Session, caller: Principal, arrival: Arrival, body: Body, options: Options
) -> Submission | None:
    """The submission that this key was given to before. Two at once wait for each other here."""
    key = arrival.idempotency_key
    if key is None:
        return None
    take_turn(session, f"{caller.client_id}/{key}")
    earlier = session.execute(
        select(Submission).where(Submission.client_id == caller.client_id, Submission.idempotency_key == key)
    ).scalar_one_or_none()
    if earlier is not None and earlier.options.get("fingerprint") != fingerprint(body, options):
        raise reused()
    return earlier
