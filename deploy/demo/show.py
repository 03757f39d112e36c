"""`psip demo`: the whole platform with its data in, the means to look at it, and what to try."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from rich.console import Console

from deploy import memory
from deploy.demo.roles import ALL_SCOPES, ROLES, Role
from deploy.kafka.broker import Kafka
from deploy.platform import Platform
from gateway.access import commands, schemas
from gateway.access.problems import ClientExists
from shared.db import Database
from shared.principal import EVERYONE, Principal
from shared.settings import KafkaSettings

Credentials = Mapping[str, Mapping[str, str]]
_INSTALLER = Principal("psip-demo", ALL_SCOPES, frozenset({EVERYONE}), "national")


def show(data_dir: Path, *, port: int, empty: bool, over_kafka: bool, leave: bool, out: Console) -> int:
    """Run the demonstration until it is interrupted (or, with `leave`, until its data is in). The exit status."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (
        _kafka(data_dir, wanted=over_kafka) as kafka,
        Platform(data_dir, port=port, kafka=kafka, sandbox=True) as platform,
    ):
        credentials = _credentials(platform.environment.url("gateway"), _kept(data_dir))
        handle = _write_handle(data_dir, platform.base_url, credentials)
        out.print(f"Serving at [bold]{platform.base_url}[/]; credentials are in {handle}")
        whole = _filled(handle, empty=empty)
        memory.give_back()
        if leave:
            return 0 if whole else 1
        _say_what_to_try(platform.base_url, handle, out)
        _wait_for_interruption()
    return 0


@contextmanager
def _kafka(data_dir: Path, *, wanted: bool) -> Iterator[KafkaSettings | None]:
    """The broker to use: none, the one that PSIP_KAFKA_BOOTSTRAP names, or one of our own."""
    if not wanted:
        yield None
    elif there := os.environ.get("PSIP_KAFKA_BOOTSTRAP"):
        yield KafkaSettings(bootstrap=there)
    else:
        with Kafka(data_dir / "kafka") as broker:
            yield KafkaSettings(bootstrap=broker.bootstrap)


def _kept(data_dir: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        kept: dict[str, Any] = json.loads((data_dir / "demo.json").read_text())["clients"]
        return kept
    return {}


def _credentials(gateway: SecretStr, kept: Mapping[str, Any]) -> Credentials:
    """The secret of every client: that of an earlier run where there is one, or else a new one."""
    database = Database(gateway, pool_size=1)
    try:
        return {
            name: {
                "client_id": role.client_id,
                "client_secret": kept.get(name, {}).get("client_secret") or _new_secret(database, role),
            }
            for name, role in ROLES.items()
        }
    finally:
        database.close()


def _new_secret(database: Database, role: Role) -> str:
    try:
        with database.session() as session:
            return commands.register_client(session, **role.registration)
    except ClientExists:
        with database.session() as session:
            rotation = schemas.Rotation(overlap_seconds=0)
            return str(commands.rotate(session, role.client_id, rotation, caller=_INSTALLER)[1])


def _write_handle(data_dir: Path, base_url: str, credentials: Credentials) -> Path:
    """Write `demo.json`, which only its owner may read, all at once; where it is."""
    told = {
        "base_url": base_url,
        "clients": {
            name: {**secret, "organisations": list(ROLES[name].organisations), "audience": ROLES[name].audience}
            for name, secret in credentials.items()
        },
    }
    new = data_dir / "demo.json.new"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(told, file, indent=2)
    return new.replace(data_dir / "demo.json")


def _filled(handle: Path, *, empty: bool) -> bool:
    """Send the data and check what it should show, in a process of its own; whether all of it holds."""
    command = [sys.executable, "-m", "deploy.demo.fill", str(handle), *(["--empty"] if empty else [])]
    return subprocess.run(command, check=False).returncode == 0  # noqa: S603 - the command is ours


def _say_what_to_try(base_url: str, handle: Path, out: Console) -> None:
    token = (
        f"TOKEN=$(curl -s {base_url}/oauth2/token -d grant_type=client_credentials -u "
        f"\"$(python3 -c \"import json; c = json.load(open('{handle}'))['clients']['national']; "
        "print(c['client_id'] + ':' + c['client_secret'])\")\" | "
        "python3 -c \"import json, sys; print(json.load(sys.stdin)['access_token'])\")"
    )
    bearer = '-H "Authorization: Bearer $TOKEN"'
    row = "organisation,period,measure,numerator,denominator\\nRGT,2026-09,md-arrest,9,5100\\n"
    post = f"curl -s {bearer} -H 'Content-Type: text/csv' --data-binary @-"
    lines = [
        token,
        f'curl -s {bearer} "{base_url}/v1/charts/mn-preterm/RGT"',
        f'curl -s {bearer} "{base_url}/v1/charts/ch-falls/VN001?format=svg" -o chart.svg',
        f'curl -s {bearer} "{base_url}/v1/series?measure=mn-preterm&organisation=S1Y5D&format=csv"',
        f"printf '{row}' | {post} \"{base_url}/v1/submissions?feed=measure-counts\"",
    ]
    out.print(f"\nRead about it at [bold]{base_url}/docs[/]; stop with Ctrl-C. Try:\n")
    for line in lines:
        out.print(line, soft_wrap=True, markup=False, highlight=False)


def _wait_for_interruption() -> None:
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interrupted.set())
    interrupted.wait()
