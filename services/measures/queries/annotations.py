"""What is to be drawn on the charts of organisations."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from sqlalchemy.orm import Session

from services.measures.queries.moment import NOW, Moment, recorded
from shared.db import driver


class Annotation(NamedTuple):
    """An annotation of one measure of an organisation, or (`measure` is None) of all."""

    id: str
    kind: str
    measure: str | None
    on: date
    text: str


def annotations_of(session: Session, places: Sequence[str], when: Moment = NOW) -> dict[str, Sequence[Annotation]]:
    """The annotations of each of these organisations, in order of day and name."""
    return when.found_of("annotations", places, lambda missing: _annotations_of(session, missing, when))


def _annotations_of(session: Session, places: list[str], when: Moment) -> dict[str, Sequence[Annotation]]:
    rows = driver(session).execute(
        f"""
        select organisation, name, kind, measure, "on", text from annotation known
        where organisation = any(%(places)s) and {recorded("known", "%(at)s")} order by "on", name
        """,  # noqa: S608 - the condition is ours
        {"places": places, "at": when.at},
    )
    found: dict[str, list[Annotation]] = defaultdict(list)
    for organisation, *one in rows:
        found[organisation].append(Annotation(*one))
    return {place: found[place] for place in places}
