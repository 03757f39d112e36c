"""The demonstration's data: rows that ingest takes, rates that are England's, and stories that the charts show."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import msgspec
import polars as pl
import pytest
from rich.progress import Progress

from deploy.demo import checks, files, load, stories
from deploy.demo.births import births
from deploy.demo.care_homes import weekly
from deploy.demo.counts import COUNTED, counts
from deploy.demo.files import Sending
from deploy.demo.organisations import homes
from deploy.demo.roles import ROLES
from deploy.demo.span import Span
from deploy.demo.units import UNITS, Unit
from gateway.routes import SCOPES
from psip import Receipt
from services.ingest.rules.feeds import Feed
from services.ingest.rules.formats import read_blocks
from services.ingest.rules.reference import Organisation, Reference
from services.ingest.rules.validation import Checker
from services.measures.rules.spc import Series, evaluate
from services.programmes.rules import catalogue
from services.programmes.rules.organisations import Organisation as Registered
from services.programmes.rules.organisations import problems
from tests.ingest.builders import feed_spec

UNTIL = date(2026, 11, 23)
NATIONAL = catalogue.load()
GROUPS = (files.maternity, files.counted, files.care_homes)
GESTATION, ALIVE = pl.col("gestation_length_at_birth"), pl.col("pregnancy_outcome") == "01"


@pytest.fixture(scope="module")
def span() -> Span:
    return Span.before(UNTIL)


@functools.cache
def births_once(unit: Unit, span: Span) -> pl.DataFrame:
    return births(unit, span)


@pytest.fixture(scope="module")
def sendings(span: Span) -> Iterator[list[Sending]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "births", births_once)
        yield [sending for group in GROUPS for sending in group(span)]
    births_once.cache_clear()


@pytest.fixture(scope="module")
def every_birth(span: Span) -> pl.DataFrame:
    return pl.concat([births_once(unit, span) for unit in UNITS])


def unit(code: str) -> Unit:
    return next(one for one in UNITS if one.code == code)


def reference() -> Reference:
    known = {one.code: Organisation(one.code, one.opened, one.closed) for one in NATIONAL.organisations}
    known |= {home.cqc: Organisation(home.code, home.opened) for home in homes()}
    measures = {
        name: {"proportion": one["unit"] == "percent", "period": one["period"]}
        for name, one in NATIONAL.measures.items()
    }
    return Reference(known, measures)


class TestRows:
    def test_ingest_finds_the_planted_mistakes_and_nothing_else(self, sendings: list[Sending]) -> None:
        feeds = {name: Feed.from_spec(feed_spec(name)) for name in {one.feed for one in sendings}}
        known, found = reference(), []
        for sending in sendings:
            checker = Checker(feeds[sending.feed], known, today=UNTIL)
            counted = {"waiting": 0, "rejected": 0, "duplicate": 0}
            for block in read_blocks(iter([sending.content()]), content_type="text/csv"):
                verdict = checker.check(block)
                counted = {name: count + verdict.counts[name] for name, count in counted.items()}
                found += [(sending.name, row["column"], row["found"]) for row in verdict.faults.iter_rows(named=True)]
            assert counted == {"waiting": 0, "rejected": sending.rejected, "duplicate": 0}, sending.name
            found += [(sending.name, row["column"], row["code"]) for row in checker.finish().iter_rows(named=True)]
        assert {name for name, *_ in found} == {f"births-{stories.FAULTY[0]}-faults"}
        told = [(column, value.rpartition("=")[2]) for _, column, value in found]
        assert sorted(told) == sorted((column, wrong) for column, wrong, count in files.MISTAKES for _ in range(count))

    def test_they_are_the_same_every_time(self, span: Span) -> None:
        assert births(unit("RGT"), span).equals(births(unit("RGT"), span))
        assert counts(unit("RWG"), span).equals(counts(unit("RWG"), span))
        assert weekly(span).equals(weekly(span))

    def test_they_are_as_many_as_was_asked_for(self, sendings: list[Sending], span: Span) -> None:
        rows = {feed: sum(one.rows for one in sendings if one.feed == feed) for feed in {s.feed for s in sendings}}
        assert (len(UNITS), len(span.months), len(homes()), len(span.weeks)) == (20, 36, 150, 104)
        assert rows["births"] > 250_000
        assert rows["care-home-weekly"] == 150 * 104 - len(stories.SILENT_WEEKS)
        assert len({one.name for one in sendings}) == len(sendings)

    def test_the_span_ends_with_the_last_full_month_and_week(self) -> None:
        newest = [(Span.before(day).months[-1].text, Span.before(day).weeks[-1].text) for day in
                  (date(2026, 11, 22), date(2026, 11, 23), date(2027, 1, 1))]  # fmt: skip
        assert newest == [("2026-10", "2026-W46"), ("2026-10", "2026-W47"), ("2026-12", "2026-W52")]


class TestRates:
    @pytest.mark.parametrize(
        ("events", "among", "low", "high"),
        [
            pytest.param(GESTATION < 259, pl.lit(value=True), 0.072, 0.078, id="preterm births: 7.5%"),
            pytest.param(~ALIVE, GESTATION >= 168, 0.0035, 0.0041, id="stillbirths: 3.8 in 1,000"),
            pytest.param(pl.col("neonatal_death_datetime").is_not_null(), ALIVE & (GESTATION >= 168), 0.0012, 0.0016,
                         id="neonatal deaths: 1.4 in 1,000"),
            pytest.param(pl.col("cord_clamp_seconds") >= 60, ALIVE & (GESTATION < 238), 0.62, 0.72,
                         id="optimal cord management: 68%"),
            pytest.param(pl.col("births_per_labour") == 2, pl.lit(value=True), 0.026, 0.030, id="twins: 2.8%"),
            pytest.param(pl.col("smoking_status_delivery") == "Smoker", pl.lit(value=True), 0.05, 0.08,
                         id="smoking at delivery: 6 or 7%"),
        ],
    )  # fmt: skip
    def test_births_are_like_the_countrys(
        self, every_birth: pl.DataFrame, events: pl.Expr, among: pl.Expr, low: float, high: float
    ) -> None:
        share = every_birth.filter(among).select(events.fill_null(value=False).mean()).item()
        assert low < share < high

    @pytest.mark.parametrize("event", [GESTATION < 259, ~ALIVE, pl.col("smoking_status_delivery") == "Smoker"])
    def test_the_most_deprived_fare_worse(self, every_birth: pl.DataFrame, event: pl.Expr) -> None:
        fifths = every_birth.group_by(fifth=(pl.col("imd_decile") + 1) // 2).agg(event.mean().alias("rate"))
        rates = dict(fifths.iter_rows())
        assert rates[1] > 1.15 * rates[5]

    def test_twins_are_of_one_pregnancy_and_born_together(self, every_birth: pl.DataFrame) -> None:
        born = pl.col("baby_birth_datetime")
        each = every_birth.filter(pl.col("births_per_labour") == 2).group_by("pregnancy_id")
        twins = each.agg(pl.len(), pl.col("birth_order").max(), apart=born.max() - born.min())
        assert set(twins["len"]) == {2} == set(twins["birth_order"])
        assert twins["apart"].max() < pl.select(pl.duration(minutes=31)).item()

    def test_falls_are_those_of_a_typical_acute_trust(self, span: Span) -> None:
        rows = pl.concat([counts(one, span) for one in UNITS]).filter(measure="ss-falls")
        assert 6.2 < rows["numerator"].sum() / rows["denominator"].sum() * 1000 < 6.9

    def test_every_measure_that_is_counted_is_in_the_catalogue_and_monthly(self) -> None:
        assert {NATIONAL.measures[one.measure]["period"] for one in COUNTED} == {"month"}


def births_figures(shift: stories.Shift, span: Span) -> tuple[list[int], list[int]]:
    rows = births(unit(shift.organisation), span)
    event, among = {
        "mn-opt-ocm": (pl.col("cord_clamp_seconds") >= 60, ALIVE & (GESTATION < 238)),
        "mn-cqimpph": (pl.col("blood_loss_ml") >= 1500, pl.col("birth_order") == 1),
    }[shift.measure]
    told = rows.filter(among).group_by("period").agg(event.sum().alias("events"), pl.len()).sort("period")
    return told["events"].to_list(), told["len"].to_list()


def figures(shift: stories.Shift, span: Span) -> tuple[list[int], list[int]]:
    if shift.measure.startswith("mn-"):
        return births_figures(shift, span)
    if shift.measure == "ss-falls":
        rows = counts(unit(shift.organisation), span).filter(measure=shift.measure)
        return rows["numerator"].to_list(), rows["denominator"].to_list()
    cqc = next(home.cqc for home in homes() if home.code == shift.organisation)
    rows = weekly(span).filter(cqc_location_id=cqc)
    columns = {
        "ms-ch-huddle": ("safety_huddles_held", "safety_huddles_planned"),
        "ms-ch-admin": ("med_errors", "med_doses_due"),
    }
    events, among = columns[shift.measure]
    return rows[events].to_list(), rows[among].to_list()


def variation(events: Sequence[int], among: Sequence[int], definition: dict[str, Any]) -> str:
    least = definition["minimum_denominator"]
    shown = [one if size >= least else None for one, size in zip(events, among, strict=True)]
    labels = [str(number) for number in range(len(events))]
    (answer,) = evaluate([
        Series(chart=definition["chart"], labels=labels, values=shown, denominators=among,
               improvement=definition["improvement"])
    ])  # fmt: skip
    return answer.variation


class TestStories:
    @pytest.mark.parametrize("until", [UNTIL, date(2026, 12, 7), date(2027, 3, 1)])
    @pytest.mark.parametrize("shift", stories.SHIFTS, ids=lambda shift: f"{shift.measure} at {shift.organisation}")
    def test_a_chart_shows_them_whenever_the_demonstration_is_made(self, shift: stories.Shift, until: date) -> None:
        span = Span.before(until)
        wanted = checks.RAISED if shift is stories.RISING_HAEMORRHAGE else checks.IMPROVED
        assert variation(*figures(shift, span), NATIONAL.measures[shift.measure]) in wanted

    def test_a_change_begins_when_its_idea_does(self) -> None:
        shift = stories.IMPROVED_FALLS
        course = stories.course(shift.organisation, shift.measure, 36)
        assert [round(float(one), 2) for one in course[-shift.back - 3 :][:4]] == [1.0, 1.0, 0.7, 0.7]

    def test_a_change_may_take_its_time(self) -> None:
        shift = stories.RISING_HAEMORRHAGE
        course = stories.course(shift.organisation, shift.measure, 36)[-shift.back - 2 :]
        steps = [1 + (shift.factor - 1) * part / shift.over for part in range(shift.over + 1)]
        assert course[: shift.over + 2].tolist() == pytest.approx([*steps, shift.factor])

    def test_elsewhere_nothing_changes(self) -> None:
        assert set(stories.course("RGN", "ss-falls", 36)) == {1.0}

    @pytest.mark.parametrize("planted", [stories.MISSING, stories.LATE])
    def test_a_return_that_is_missing_or_late_is_not_sent(
        self, sendings: list[Sending], span: Span, planted: tuple[str, int]
    ) -> None:
        code, back = planted
        assert span.month(back).text not in months_sent(sendings, code)
        assert len(months_sent(sendings, code)) == 35

    def test_a_correction_sends_again_what_was_left_out(self, sendings: list[Sending], span: Span) -> None:
        code, back = stories.CORRECTION
        month = span.month(back)
        sent = [rows_of(one).filter(period=month.text) for one in sendings if f"births-{code}-" in one.name]
        first, second = [rows for rows in sent if rows.height]
        assert 0.85 < first.height / second.height < 0.92
        assert set(first["baby_local_id"]) < set(second["baby_local_id"])
        assert first["extract_datetime"].max() < second["extract_datetime"].min()

    def test_a_trust_that_closed_sends_no_more_and_its_successor_has_its_births(
        self, every_birth: pl.DataFrame
    ) -> None:
        merger = stories.MERGER
        each = every_birth.group_by("provider_org_code", "period").len()
        count = {(code, period): number for code, period, number in each.iter_rows()}
        last, first = f"{merger.last_day:%Y-%m}", "2026-07"
        assert (merger.closed, last) in count
        assert (merger.closed, first) not in count
        assert count[merger.successor, first] > 1.6 * count[merger.successor, last]

    def test_the_merger_is_the_catalogues(self) -> None:
        merger = stories.MERGER
        closed = next(one for one in NATIONAL.organisations if one.code == merger.closed)
        assert (closed.closed, [one.successor for one in closed.successions]) == (merger.last_day, [merger.successor])

    def test_a_nil_return_has_no_events(self, span: Span) -> None:
        rows = weekly(span).filter(pl.col("nil_return"))
        assert rows["period"].to_list() == [span.week(back).text for back in sorted(stories.NIL_WEEKS, reverse=True)]
        assert rows.select(pl.sum_horizontal("falls", "med_errors", "calls_999", "deaths")).sum().item() == 0


def rows_of(sending: Sending) -> pl.DataFrame:
    return pl.read_csv(sending.content(), infer_schema=False).with_columns(
        period=pl.col("reporting_period_start").str.slice(0, 7)
    )


def months_sent(sendings: list[Sending], code: str) -> set[str]:
    return {month for one in sendings if f"births-{code}-" in one.name for month in rows_of(one)["period"].unique()}


class TestOrganisations:
    def test_the_homes_fit_the_registry(self) -> None:
        invented = [msgspec.convert(home.registered(), Registered) for home in homes()]
        assert not list(problems([*NATIONAL.organisations, *invented]))

    def test_nobody_mistakes_a_home_for_a_real_one(self) -> None:
        told = [home.registered() for home in homes()]
        assert all(one["name"].startswith("Synthetic") and one["attributes"]["synthetic"] for one in told)

    def test_the_roles_are_those_of_the_handle(self) -> None:
        assert list(ROLES) == ["supplier", "trust", "care_home", "analyst", "psc", "national", "front_end"]
        assert ROLES["national"].scopes == SCOPES
        assert {name: role.audience for name, role in ROLES.items() if role.audience != "member"} == {
            "national": "national", "front_end": "public",
        }  # fmt: skip
        known = {one.code for one in NATIONAL.organisations} | {home.code for home in homes()} | {"*"}
        assert {code for role in ROLES.values() for code in role.organisations} <= known


@dataclasses.dataclass
class Recorder:
    """A client that notes what it is asked to do, for whichever role."""

    role: str
    done: list[tuple[str, str, Any]]

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, content: Any, *, feed: str, idempotency_key: str = "", dry_run: bool = False) -> Receipt:
        self.done.append((self.role, feed, idempotency_key.rpartition("-")[0] or "dry run"))
        received = content.count(b"\n") - 1 if isinstance(content, bytes) else 1
        rejected = 10 if "faults" in idempotency_key else 0
        status = "partly_accepted" if rejected else "accepted"
        return Receipt("s", feed, status, {"received": received, "rejected": rejected, "waiting": 0}, [], [], {})

    def wait(self, receipt: Receipt) -> Receipt:
        self.done.append((self.role, "wait", receipt.id))
        return receipt

    def post(self, path: str, document: Any, **_: Any) -> None:
        self.done.append((self.role, path, document))

    def get(self, path: str, **_: Any) -> Any:
        return {"items": [{"text": stories.IMPROVED_CORD.idea}]}


@pytest.fixture(scope="module")
def recorded(sendings: list[Sending]) -> tuple[list[load.Sent], list[tuple[str, str, Any]]]:
    done: list[tuple[str, str, Any]] = []
    with pytest.MonkeyPatch.context() as patch, Progress(disable=True) as progress:
        patch.setattr(files, "maternity", lambda _: (one for one in sendings if one.feed == "births"))
        return load.load(lambda role: Recorder(role, done), UNTIL, progress), done


class TestLoading:
    def test_everything_becomes_what_it_should(self, recorded: Any) -> None:
        sent, _ = recorded
        assert all(one.as_planned for one in sent)

    def test_the_homes_are_registered_and_known_before_their_weeks_are_sent(self, recorded: Any) -> None:
        asked = [what for _, what, _ in recorded[1]]
        details = [detail for *_, detail in recorded[1]]
        assert asked.index("/v1/organisations") < details.index("dry run") < details.index("demo-care-homes-01")

    def test_a_correction_is_sent_when_what_it_corrects_has_arrived(self, recorded: Any) -> None:
        place = [detail for *_, detail in recorded[1]].index(f"demo-births-{stories.CORRECTION[0]}-correction")
        before = [what for _, what, _ in recorded[1][:place]]
        assert before.count("wait") == before.count("births")

    def test_each_role_does_what_it_may(self, recorded: Any) -> None:
        roles = {(role, detail) for role, what, detail in recorded[1] if what == "births"}
        assert {detail[:16] for role, detail in roles if role == "trust"} == {"demo-births-RGT-"}
        assert {role for role, what, _ in recorded[1] if what == "/v1/annotations"} == {"psc"}

    def test_an_annotation_that_is_there_is_not_made_again(self, recorded: Any) -> None:
        made = {detail["text"] for _, what, detail in recorded[1] if what == "/v1/annotations"}
        assert made == {shift.idea for shift in stories.SHIFTS if shift.idea} - {stories.IMPROVED_CORD.idea}
