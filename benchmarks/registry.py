"""The registry at 70,000 organisations: how long the catalogue and files take to load, and the p95 of every read.

The catalogue and two files of invented practices and care homes are loaded into a PostgreSQL of its own, once and
again; then every list and look-up is asked over HTTP, one after another, each time about something else, in turns with
an empty answer of the same process. The machine is noisy: of the p95 of each turn the best counts, for both.

Run: python -m benchmarks.registry [requests in a turn]
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
from pydantic import SecretStr

from deploy.databases import ensure_databases
from deploy.migrate import migrate
from deploy.postgres import Postgres
from deploy.serving import Server
from services.programmes.app import create_app
from services.programmes.commands import Act, Joining, enrol, load_catalogue, load_organisations
from services.programmes.rules import catalogue
from services.programmes.rules.organisation_files import read_file
from services.programmes.settings import ProgrammesSettings
from shared.db import Database, now
from shared.principal import HEADER, Principal, Signer, new_key
from shared.telemetry import configure_logging

PRACTICES, HOMES, PROVIDERS, ENROLLED = 30_000, 35_000, 5_000, 2_000
LOAD_GOAL, READ_GOAL = 10.0, 0.050
TURNS = 3
ON = date(2026, 9, 1)
LEAD = "EAST"


def main(requests: int) -> int:
    configure_logging("WARNING")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = stack.enter_context(Postgres(folder / "postgres"))
        ensure_databases(postgres.server_url, ("programmes",))
        url = SecretStr(postgres.url("programmes"))
        migrate("programmes", url)
        database = stack.enter_context(closing(Database(url, pool_size=2)))
        kept = load(database)
        private, public = new_key()
        server = stack.enter_context(Server(create_app(ProgrammesSettings(database_url=url, principal_key=public))))
        return kept + read(server.url, Signer(private), requests)


def load(database: Database) -> int:
    whole = catalogue.load()
    icbs = [one.code for one in whole.organisations if one.kind == "icb" and one.exists(ON)]
    files = (("epraccur.csv", practices(icbs)), ("locations.csv", homes()))
    print(f"{'':44}{'first':>8}{'again':>8}{'goal':>7}")
    missed = 0
    first, loaded = timed(lambda: in_session(database, lambda session: load_catalogue(session, whole, now=now())))
    again, nothing = timed(lambda: in_session(database, lambda session: load_catalogue(session, whole, now=now())))
    missed += told(f"the catalogue, {loaded.organisations} organisations", first, again, any(nothing), LOAD_GOAL)
    for name, content in files:
        once, difference = timed(lambda: loaded_file(database, name, content))  # noqa: B023 - called at once
        twice, same = timed(lambda: loaded_file(database, name, content))  # noqa: B023 - called at once
        missed += told(f"{name}, {len(difference.added):,} organisations", once, twice, not same.empty)
    in_session(database, enrolments)
    return missed


def told(what: str, first: float, again: float, wrote: bool, goal: float | None = None) -> int:
    limit = "" if goal is None else f"{goal:.0f}s"
    print(f"{what:44}{first:7.2f}s{again:7.2f}s{limit:>7}  again writes {'SOMETHING' if wrote else 'nothing'}")
    return int(wrote or (goal is not None and first > goal))


def loaded_file(database: Database, name: str, content: bytes):  # type: ignore[no-untyped-def]
    file = read_file(name, content)
    return in_session(database, lambda session: load_organisations(session, file, on=ON, now=now(), apply=True))


def in_session(database: Database, work: Callable):  # type: ignore[no-untyped-def, type-arg]
    with database.session() as session:
        return work(session)


def timed(work: Callable):  # type: ignore[no-untyped-def, type-arg]
    start = time.perf_counter()
    answer = work()
    return time.perf_counter() - start, answer


def practices(icbs: list[str]) -> bytes:
    header = "code,name,national_grouping,high_level_health_geography,postcode,open_date,close_date,gor_or_group\n"
    rows = (
        f"P{number:05},{NAMES[number % len(NAMES)]} SURGERY {number},,{icbs[number % len(icbs)]},AB1 2CD,20100401,,\n"
        for number in range(PRACTICES)
    )
    return (header + "".join(rows)).encode()


def homes(count: int = HOMES) -> bytes:
    header = "Location Name,Location ID,Care homes beds,Location HSCA start date,Provider Name,Provider ID\n"
    rows = (
        f"{NAMES[number % len(NAMES)].title()} House {number},1-1{number:07},{8 + number % 60},2011-01-17,"
        f"Provider {number % PROVIDERS},1-2{number % PROVIDERS:07}\n"
        for number in range(count)
    )
    return (header + "".join(rows)).encode()


NAMES = ("LARCHES", "ELMS", "BEECHES", "WILLOWS", "OAKS", "MEADOWS", "ORCHARD", "PRIORY", "GRANGE", "MANOR")


def enrolments(session) -> None:  # type: ignore[no-untyped-def]
    act = Act("benchmark", now())
    for number in range(ENROLLED):
        enrol(session, Joining(f"1-1{number:07}", "care-homes", None, "testing", date(2026, 3, 1)), act)


READS: dict[str, str] = {
    "organisations": "/v1/organisations",
    "organisations of a kind": "/v1/organisations?kind=care_home",
    "organisations, further on": "/v1/organisations?kind=practice&limit=200&at=2026-09-0{digit}",
    "organisations by words": "/v1/organisations?q={word}+{digit}",
    "organisations within England": "/v1/organisations?within=ENGLAND&kind=practice&at=2026-09-1{digit}",
    "an organisation": "/v1/organisations/P{number}",
    "an organisation by CQC id": "/v1/organisations/1-1{home}",
    "an organisation and all around it": "/v1/organisations/{icb}?around=true",
    "England and all around it": "/v1/organisations/ENGLAND?around=true",
    "its ancestors": "/v1/organisations/1-1{home}/ancestors",
    "its members": "/v1/organisations/{icb}/members",
    "its members on another day": "/v1/organisations/{icb}/members?at=202{digit}-04-01",
    "its members as known before": "/v1/organisations/{icb}/members?known_at={instant}",
    "its successors": "/v1/organisations/{icb}/successors",
    "programmes": "/v1/programmes",
    "a programme": "/v1/programmes/matneosip",
    "a driver diagram": "/v1/programmes/matneosip/driver-diagram?format=svg",
    "an adoption curve": "/v1/programmes/care-homes/adoption",
    "measures": "/v1/measures",
    "a measure": "/v1/measures/mn-preterm",
    "targets": "/v1/targets",
    "feeds": "/v1/feeds",
    "a feed": "/v1/feeds/births",
    "enrolments": "/v1/enrolments",
    "enrolments within": "/v1/enrolments?within=ENGLAND&programme=care-homes",
    "annotations": "/v1/annotations",
    "changes": "/v1/changes",
    "changes, newest first": "/v1/changes?order=newest&kind=organisation",
    "changes of one": "/v1/changes?subject=P{number}",
}


def read(base: str, signer: Signer, requests: int) -> int:
    missed = 0
    chance = random.Random(4)
    everyone = Principal("bench", frozenset({"programmes:read"}), frozenset({"ENGLAND"}))
    lead = Principal("lead", frozenset({"programmes:read"}), frozenset({LEAD}))
    with httpx.Client(base_url=base, timeout=60) as client:
        title = f"p95 of {requests} requests, best of {TURNS}, in ms"
        print(f"\n{title:44}{'nation':>8}{'lead':>8}{'goal':>7}{'empty':>7}")
        for name, path in READS.items():
            empty, *times = best(client, requests, path, chance, signer, (everyone, lead))
            missed += max(times) > READ_GOAL
            shown = "".join(f"{1000 * one:8.1f}" for one in times)
            over = "  OVER" if max(times) > READ_GOAL else ""
            print(f"{name:44}{shown}{1000 * READ_GOAL:7.0f}{1000 * empty:7.1f}{over}", flush=True)
    return missed


def best(
    client: httpx.Client,
    requests: int,
    path: str,
    chance: random.Random,
    signer: Signer,
    askers: tuple[Principal, ...],
) -> list[float]:
    """The lowest p95 of an empty answer, and of this path for each of those who ask."""
    turns = []
    for _ in range(TURNS):
        turn = [p95(client, iter(["/health/live"] * requests), {})]
        turn += [p95(client, filled(path, chance, requests), {HEADER: signer.sign(who)}) for who in askers]
        turns.append(turn)
    return [min(column) for column in zip(*turns, strict=True)]


def filled(path: str, chance: random.Random, requests: int) -> Iterator[str]:
    for _ in range(requests):
        yield path.format(
            number=f"{chance.randrange(PRACTICES):05}",
            home=f"{chance.randrange(HOMES):07}",
            icb=chance.choice(("QYG", "QOP", "D7T5G", "T6Y0W", "QWO", "QJG")),
            word=chance.choice(NAMES),
            digit=chance.randrange(3, 6),
            instant=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )


def p95(client: httpx.Client, paths: Iterator[str], headers: dict[str, str]) -> float:
    times = []
    for path in paths:
        start = time.perf_counter()
        answer = client.get(path, headers=headers)
        times.append(time.perf_counter() - start)
        if answer.status_code not in (200, 404):
            raise SystemExit(f"{path}: {answer.status_code} {answer.text[:200]}")
    return sorted(times)[int(0.95 * (len(times) - 1))]


if __name__ == "__main__":
    sys.exit(min(main(int(sys.argv[1]) if len(sys.argv) > 1 else 40), 1))
