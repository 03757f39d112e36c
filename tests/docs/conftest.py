"""A running platform with the demonstration's clients and a little of its data, and a folder to run examples in."""

import json
import os
import sys
import threading
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import polars as pl
import pytest

from deploy.demo import files, load
from deploy.demo.care_homes import weekly
from deploy.demo.organisations import LARGE, homes
from deploy.demo.roles import ROLES
from deploy.demo.span import Span
from deploy.platform import Platform
from gateway.access.commands import register_client
from psip import Client
from shared.db import Database, now
from tests.docs.examples import ROOT


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that a reader stands in after `make demo`: `.psip/demo.json` is in it, and what it names runs."""
    folder = tmp_path_factory.mktemp("reader")
    with Platform(folder / ".psip", sandbox=True) as platform:
        handle = registered(platform)
        (folder / ".psip/demo.json").write_text(json.dumps(handle))
        fill(handle)
        wait_until_settled(platform)
        yield folder


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """What the examples find in their environment: the checkout's commands, and no settings of ours."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PSIP_")}
    here = f"{Path(sys.executable).parent}{os.pathsep}{inherited.get('PATH', os.defpath)}"
    return inherited | {"PATH": here, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "120"}


def registered(platform: Platform) -> dict[str, object]:
    """Register the seven clients; the content of `demo.json`."""
    database = Database(platform.environment.url("gateway"), pool_size=1)
    clients = {}
    for name, role in ROLES.items():
        with database.session() as session:
            secret = register_client(session, **role.registration)
        clients[name] = {"client_id": role.client_id, "client_secret": secret}
    database.close()
    return {"base_url": platform.base_url, "clients": clients}


def fill(handle: dict[str, object]) -> None:
    """Send the births of one trust and the weeks of one care home, and record the change ideas of both."""
    span = Span.before(now().date())
    with client(handle, "national") as national:
        national.post("/v1/organisations", [home.registered() for home in homes()])
    with client(handle, "psc") as psc:
        for notice in load.notices(span):
            if notice.document["organisation"] in ("RGT", LARGE):
                psc.post("/v1/annotations", notice.document)
    with client(handle, "trust") as trust:
        for sending in takewhile(lambda one: one.name.startswith("births-RGT"), files.maternity(span)):
            assert trust.submit(sending.content(), feed="births").status == "accepted"
    with client(handle, "care_home") as home:
        cqc = next(one.cqc for one in homes() if one.code == LARGE)
        weeks = weekly(span).filter(pl.col("cqc_location_id") == cqc).drop("period")
        receipt = home.submit(weeks.write_csv().encode(), feed="care-home-weekly", organisation=LARGE)
        assert receipt.status == "accepted", receipt.faults


def client(handle: dict[str, object], role: str) -> Client:
    """The client of one role of `demo.json`."""
    one = handle["clients"][role]  # type: ignore[index]
    return Client(str(handle["base_url"]), one["client_id"], one["client_secret"])


def wait_until_settled(platform: Platform) -> None:
    """Return when everything that was sent has become figures."""
    pause = threading.Event()
    for _ in range(2400):
        if platform.settled():
            return
        pause.wait(0.05)
    raise AssertionError("what was sent does not become figures: see what is parked")
