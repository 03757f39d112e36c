"""What is written for COPY is what PostgreSQL reads."""

from collections.abc import Iterator
from datetime import date, datetime

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.postgres import Postgres
from services.measures.commands.computing import Figures
from services.measures.commands.copying import COLUMNS, lines
from shared.contracts.periods import Period

# What PostgreSQL holds as text: everything but NUL and halves of surrogate pairs.
texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=8)
numbers = st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=4)
moments = st.datetimes(min_value=datetime.fromisoformat("1900-01-01")).map(lambda one: one.replace(fold=0))
cells = st.builds(
    Figures,
    measure=texts,
    organisation=texts,
    period=st.sampled_from(["2026-01", "2026-W05", "2026-27"]),
    start=st.dates(),
    definition_version=texts,
    strata=st.lists(texts, max_size=3),
    numerator=numbers,
    denominator=numbers,
    dates=st.none() | st.lists(moments, max_size=3),
    kind=st.sampled_from(["rows", "nil"]),
    provisional=st.booleans(),
    versions=st.lists(texts, max_size=3),
    failed=st.lists(texts, max_size=3),
)


@pytest.fixture(scope="module")
def connection(postgres: Postgres) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres.url("postgres").replace("+psycopg", ""), autocommit=True) as one:
        one.execute(
            "create temporary table written (measure text, organisation text, period text, start date, "
            "definition_version text, strata text[], numerator float8[], denominator float8[], dates timestamp[], "
            "kind text, provisional bool, versions text[], failed text[], grain text, more text)"
        )
        yield one


@given(st.lists(cells, max_size=4))
@settings(max_examples=60)
def test_every_cell_is_read_as_it_was(connection: psycopg.Connection, written: list[Figures]) -> None:
    connection.execute("truncate written")
    with connection.cursor().copy(f"copy written ({', '.join(COLUMNS)}, more) from stdin") as copy:
        copy.write(lines(written, "the\tsame"))

    read = connection.execute("select * from written").fetchall()

    expected = [(*one, Period.parse(one.period).grain, "the\tsame") for one in written]
    assert sorted(map(repr, read)) == sorted(map(repr, expected))


def test_what_has_no_dates_has_null_and_not_an_empty_list(connection: psycopg.Connection) -> None:
    one = Figures("m", "RGT", "2026-01", date(2026, 1, 1), "1", [""], [1.0], [None], None, "rows", False, [], [])
    connection.execute("truncate written")
    with connection.cursor().copy(f"copy written ({', '.join(COLUMNS)}) from stdin") as copy:
        copy.write(lines([one, one._replace(dates=[])]))

    assert connection.execute("select dates from written").fetchall() == [(None,), ([],)]
