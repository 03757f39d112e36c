"""Verifying: every cell is computed again from the stored returns into a shadow, and must be what stands."""

from collections.abc import Iterator, Sequence
from math import isclose
from typing import NamedTuple

from sqlalchemy.orm import Session

from services.measures.commands.book import book
from services.measures.commands.cells import batches
from services.measures.commands.computing import Figures, computed
from services.measures.commands.copying import COLUMNS, lines
from shared.db import driver

_SHOWN = ("definition_version", "strata", "numerator", "denominator", "dates", "kind", "provisional", "versions",
          "failed")  # fmt: skip


class Difference(NamedTuple):
    """A cell that is not what the returns give: `found` is `missing`, `extra` or the columns that differ."""

    measure: str
    organisation: str
    period: str
    found: str


def verify(session: Session) -> list[Difference]:
    """The differences between the cells that stand and those the current returns give: none, if all is well.

    Works in a temporary table that is gone at the end of the transaction; changes nothing.
    """
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})  # while returns go on arriving
    known = book(session)
    cursor = driver(session).cursor()
    cursor.execute(
        "create temporary table shadow (like cell) on commit drop;"
        "alter table shadow alter known_from drop not null, alter change drop not null"
    )
    for batch in batches(session, {feed for one in known.definitions.values() for feed in one.feeds}):
        for cells, _, _ in computed(session, batch, known):
            _copy(session, cells)
    cursor.execute("create index on shadow (measure, organisation, period); analyze shadow")
    return list(_differences(session, list(known.definitions)))


def _copy(session: Session, cells: Sequence[Figures]) -> None:
    with driver(session).cursor().copy(f"COPY shadow ({', '.join(COLUMNS)}) FROM STDIN") as copy:
        copy.write(lines(cells))


def _differences(session: Session, measures: list[str]) -> Iterator[Difference]:
    columns = ", ".join(f"{side}.{name}" for side in ("stands", "rebuilt") for name in _SHOWN)
    rows = driver(session).execute(
        f"""
        select coalesce(stands.measure, rebuilt.measure), coalesce(stands.organisation, rebuilt.organisation),
               coalesce(stands.period, rebuilt.period), stands.measure is null, rebuilt.measure is null, {columns}
        from (select * from cell where known_to is null and measure = any(%s)) stands
        full join (select distinct on (measure, organisation, period) * from shadow) rebuilt
          using (measure, organisation, period)
        where row({_columns("stands")}) is distinct from row({_columns("rebuilt")})
        order by 1, 2, 3
        """,  # noqa: S608 - every name is ours
        (measures,),
    )
    for measure, organisation, period, missing, extra, *values in rows:
        found = "missing" if missing else "extra" if extra else _unlike(values)
        if found:
            yield Difference(measure, organisation, period, found)


def _columns(side: str) -> str:
    return ", ".join(f"{side}.{name}" for name in _SHOWN)


def _unlike(values: Sequence[object]) -> str:
    """The columns that differ by more than the order in which fractions were added."""
    half = len(values) // 2
    pairs = zip(_SHOWN, values[:half], values[half:], strict=True)
    return ", ".join(name for name, stands, rebuilt in pairs if not _same(stands, rebuilt))


def _same(one: object, other: object) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=1e-12)
    return one == other
