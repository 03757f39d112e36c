"""When a read is as of: what was known then, and which day it was."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple, TypeVar

from sqlalchemy.orm import Session

from services.measures.queries.held import Held, held
from shared.contracts.windows import london_day
from shared.db import driver, now

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

AT_ONCE = 1_000
"""Of how many at once answers are held one by one."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant in the past, or now (`at` is None): with what is `held` of the present, if anything is."""

    at: datetime | None = None
    held: Held | None = None

    @property
    def today(self) -> date:
        """The day in England."""
        return self.held.today if self.held is not None else london_day(self.at or now())

    def found(self, key: Hashable, ask: Callable[[], T]) -> T:
        """The answer of the registry that goes by this key: the one that is held, or else that is asked for now.

        Nothing is held of what is not there: of names that nobody knows there is no end.
        """
        if self.held is None:
            return ask()
        answer: T | None = self.held.get(key)
        if answer is None:
            answer = ask()
            if answer:
                self.held.keep(key, answer)
        return answer

    def found_of(self, kind: Hashable, keys: Iterable[K], ask: Callable[[list[K]], Mapping[K, T]]) -> dict[K, T]:
        """Such an answer for each of these keys, in their order; those that are not held are asked for together."""
        wanted = list(keys)
        if self.held is None or len(wanted) > AT_ONCE:
            return dict(ask(wanted))
        known: dict[K, T | None] = {key: self.held.get((kind, key)) for key in wanted}
        missing = [key for key, answer in known.items() if answer is None]
        asked = ask(missing) if missing else {}
        for key, answer in asked.items():
            self.held.keep((kind, key), answer)
        return {key: asked[key] if answer is None else answer for key, answer in known.items()}


NOW = Moment()


class Stand(NamedTuple):
    """What a read stands on: the data version it saw and the instant that was known then."""

    data_version: int
    as_of: datetime | None


_STAND = "select number, at from change where at <= coalesce(%s::timestamptz, 'infinity') order by number desc limit 1"
_STAND_NOW = """
    select (select string_agg(id::text, ' ' order by slot) from registry_edition), number, at
    from (select) as one left join lateral (select number, at from change order by number desc limit 1) newest on true
"""


def stand(session: Session, known_at: datetime | None) -> Stand:
    """The newest change at (or at the latest by) the instant; before the first, the instant itself."""
    found = driver(session).execute(_STAND, (known_at,)).fetchone()
    return Stand(*found) if found else Stand(0, known_at)


def begin(session: Session, known_at: datetime | None) -> tuple[Moment, Stand]:
    """The moment a read is as of, and what it stands on. For reads of what is committed, not within a change."""
    if known_at is not None:
        return Moment(known_at), stand(session, known_at)
    ((edition, number, at),) = driver(session).execute(_STAND_NOW)
    return Moment(held=held(session.get_bind().engine, edition, london_day(now()))), Stand(number or 0, at)


def recorded(row: str, at: str = ":at") -> str:
    """The condition, in SQL, on what the registry said (the row of that name) for what was known at the instant that
    the parameter holds; null is now."""
    return (
        f"{row}.recorded_at <= coalesce(cast({at} as timestamptz), 'infinity') "
        f"and ({row}.superseded_at is null or {row}.superseded_at > cast({at} as timestamptz))"
    )
