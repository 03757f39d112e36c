"""`psip`: everything an operator, a supplier or a newcomer does from a terminal."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.table import Table

from deploy import accounts, memory, secrets, topics
from deploy.databases import SERVICE_DATABASES, ensure_databases
from deploy.issuers import check_issuers
from deploy.kafka import broker
from deploy.lifetimes import CannotStart
from deploy.registering import register
from deploy.services import APPS, WORKERS, create_app, create_worker, protocol
from deploy.serving import Serving, configuration
from deploy.settings import Environment
from deploy.submitting import submit
from deploy.token_keys import change_token_key
from shared.telemetry import configure_logging

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)
kafka = typer.Typer(help="Apache Kafka on this machine, without Docker.", no_args_is_help=True)
parked = typer.Typer(help="Messages that could not be applied.", no_args_is_help=True)
measures = typer.Typer(help="Figures.", no_args_is_help=True)
organisations = typer.Typer(help="Organisations.", no_args_is_help=True)
app.add_typer(kafka, name="kafka")
app.add_typer(parked, name="parked")
app.add_typer(measures, name="measures")
app.command()(submit)
app.command()(register)
app.command(name="issuers")(check_issuers)
app.command(name="token-key")(change_token_key)
app.add_typer(organisations, name="organisations")
out = Console()

DataDir = Annotated[Path, typer.Option(help="The folder that keeps everything.")]
ServiceName = Annotated[str, typer.Argument(help=f"One of {', '.join(APPS)}.")]


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="The port of the gateway.", min=1, max=65535)] = 8000,
    data_dir: DataDir = Path(".psip"),
    empty: Annotated[bool, typer.Option("--empty", help="The catalogue, but no demo data.")] = False,
    over_kafka: Annotated[bool, typer.Option("--kafka", help="Over a real Kafka broker.")] = False,
    leave: Annotated[bool, typer.Option("--exit", help="Stop when the data is in and the checks hold.")] = False,
) -> None:
    """Run the whole platform with plausible data, and say what to try."""
    from deploy.demo.show import show

    configure_logging("WARNING")
    raise typer.Exit(show(data_dir, port=port, empty=empty, over_kafka=over_kafka, leave=leave, out=out))


@app.command()
def api(
    service: ServiceName,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8000,
) -> None:
    """Serve one service, or the gateway."""
    environment = _environment()
    if service not in APPS:
        raise typer.BadParameter(f"there is no service {service!r}; choose one of {', '.join(APPS)}")
    with _last_words():
        serve = create_app(service, environment)
        proxies = environment.proxy_networks.split()
        memory.settle()
        Serving(configuration(serve, host=host, port=port, protocol=protocol(service), proxies=proxies)).run()


@app.command()
def worker(service: Annotated[str, typer.Argument(help=f"One of {', '.join(WORKERS)}.")]) -> None:
    """Carry a service's outbox to Kafka, and apply what others published."""
    from shared.messaging.kafka import KafkaBus

    environment = _environment()
    if service not in WORKERS:
        raise typer.BadParameter(f"there is no worker {service!r}; choose one of {', '.join(WORKERS)}")
    with _last_words():
        one = create_worker(service, environment, lambda: KafkaBus(environment.kafka()))
        one.heartbeat = environment.heartbeat
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: one.stop())
        memory.settle()
        one.run()
        one.close()


@app.command(name="migrate")
def migrate_databases(
    with_accounts: Annotated[
        bool, typer.Option("--accounts", help="Give each service an account, with the secret SERVICE.password.")
    ] = False,
) -> None:
    """Create the databases that are missing, and bring every one up to date."""
    from deploy import migrate

    environment = _environment()
    ensure_databases(environment.server_url())
    for name in SERVICE_DATABASES:
        migrate.migrate(name, environment.url(name))
        if with_accounts:
            accounts.ensure(environment.server_url(), name, environment.secret(secrets.password(name)))
        out.print(f"{name}: up to date")


@app.command(name="catalogue")
def load_catalogue() -> None:
    """Load what is new in the national catalogue into the registry; what people made of the rest stays as it is."""
    from deploy.platform import load_catalogue as load

    out.print(str(load(_environment().url("programmes"))))


@app.command(name="topics")
def create_topics() -> None:
    """Create the Kafka topics that the contracts ask for."""
    from shared.messaging.kafka import KafkaBus

    bus = KafkaBus(_environment().kafka())
    for topic in topics.ensure(bus):
        out.print(f"{topic.name}: {topic.partitions} partitions{', compacted' if topic.compacted else ''}")
    bus.close()


@app.command(name="secrets")
def make_secrets(folder: Annotated[Path, typer.Argument(help="The folder to keep them in.")]) -> None:
    """Make the secrets of an installation that are missing."""
    secrets.ensure(folder)
    out.print(f"the secrets are in {folder}")


@app.command(name="contracts")
def write_contracts(
    release: Annotated[bool, typer.Option("--release", help="Keep them as those of this version, for good.")] = False,
) -> None:
    """Write the generated contracts: asyncapi.json and openapi.json."""
    from deploy import contracts
    from deploy.compatibility import released
    from gateway.documentation import VERSION

    for path in contracts.write():
        out.print(str(path))
    if release:
        out.print(str(released.release(released.FOLDER, VERSION)))


@kafka.command(name="up")
def kafka_up(
    data_dir: DataDir = Path(".psip/kafka"),
    brokers: Annotated[int, typer.Option(help="1 or 3.")] = 1,
) -> None:
    """Start Kafka on loopback, fetching it with Maven the first time."""
    cluster = broker.up(data_dir, brokers=brokers)
    out.print(f"Kafka answers: export PSIP_KAFKA_BOOTSTRAP={cluster.bootstrap}")


@kafka.command(name="down")
def kafka_down(data_dir: DataDir = Path(".psip/kafka")) -> None:
    """Stop it; what it keeps stays."""
    out.print(f"{broker.down(data_dir)} stopped")


@kafka.command(name="status")
def kafka_status(data_dir: DataDir = Path(".psip/kafka")) -> None:
    """Which brokers there are, and which of them run."""
    for one, running in broker.status(data_dir):
        out.print(f"broker {one.node} on 127.0.0.1:{one.port}: {'running' if running else 'stopped'}")


@measures.callback()
def figures() -> None:
    """Figures."""


@measures.command(name="verify")
def verify_measures(data_dir: DataDir = Path(".psip")) -> None:
    """Compute every cell again from the stored returns: fails, naming them, when one is not what stands."""
    from deploy.running import running_database
    from services.measures.commands import verify

    with running_database("measures", data_dir).session() as session:
        differences = verify(session)
    for one in differences:
        out.print(f"{one.measure} {one.organisation} {one.period}: {one.found}")
    if differences:
        raise SystemExit(f"{len(differences)} cells are not what the returns give")
    out.print("every cell is what the returns give")


@organisations.callback()
def registry() -> None:
    """Organisations."""


@organisations.command(name="load")
def load_organisations(
    file: Annotated[Path, typer.Argument(help="An ODS file, predecessors and successors, or CQC locations; in CSV.")],
    apply: Annotated[bool, typer.Option("--apply", help="Write it; without this only the difference is told.")] = False,
    on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day the file tells of.")] = None,
    kind: Annotated[str | None, typer.Option(help="Of which kind they are, where its name does not say.")] = None,
    most: Annotated[int, typer.Option(help="How many of each to list.")] = 20,
    data_dir: DataDir = Path(".psip"),
) -> None:
    """Compare a published file of organisations with the registry, and take it up; facts kept by hand stay."""
    from deploy import organisation_files

    day = (on or datetime.now(UTC)).date()
    difference = organisation_files.load(file, data_dir, on=day, kind=kind, apply=apply)
    organisation_files.tell(difference, out, applied=apply, most=most)


@parked.command(name="list")
def list_parked(service: ServiceName, data_dir: DataDir = Path(".psip")) -> None:
    """What is parked, and why."""
    from deploy.parked import Park

    table = Table("id", "topic", "key", "handler", "attempts", "parked", "reason")
    for one in Park(service, data_dir).all():
        table.add_row(
            str(one.id),
            one.topic,
            one.key,
            one.handler,
            str(one.attempts),
            f"{one.parked_at:%Y-%m-%d %H:%M}",
            one.reason,
        )
    out.print(table)


@parked.command(name="replay")
def replay_parked(
    service: ServiceName,
    identity: Annotated[int, typer.Argument(metavar="ID", help="Its number, from `list`.")],
    data_dir: DataDir = Path(".psip"),
) -> None:
    """Apply one again, and take it out of the park."""
    from deploy.parked import Park

    if not Park(service, data_dir).replay(identity):
        raise SystemExit(f"nothing is parked under {identity}")
    out.print("applied")


@parked.command(name="drop")
def drop_parked(
    service: ServiceName,
    identity: Annotated[int, typer.Argument(metavar="ID", help="Its number, from `list`.")],
    data_dir: DataDir = Path(".psip"),
) -> None:
    """Throw one away."""
    from deploy.parked import Park

    if not Park(service, data_dir).drop(identity):
        raise SystemExit(f"nothing is parked under {identity}")
    out.print("dropped")


def _environment() -> Environment:
    environment = Environment()
    configure_logging(environment.log_level)
    return environment


@contextmanager
def _last_words() -> Iterator[None]:
    """The failure that ends a process is a line of its log like any other."""
    try:
        yield
    except Exception as error:
        structlog.get_logger().critical("the process failed", exc_info=True)
        raise SystemExit(1) from error


def main() -> None:
    """The entry point of the command: what cannot be started is said in words."""
    try:
        app()
    except CannotStart as reason:
        raise SystemExit(str(reason)) from None


if __name__ == "__main__":
    main()
