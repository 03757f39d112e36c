"""The containers agree with the code: variables, secrets, processes and versions are named in both alike."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from deploy import secrets
from deploy.databases import SERVICE_DATABASES
from deploy.services import APPS, WORKERS
from deploy.settings import Environment

ROOT = Path(__file__).parent.parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"] == "psip"}
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
POM = "{http://maven.apache.org/POM/4.0.0}"
PINNED = re.compile(r"[a-z/]+:\d[\w.-]*")


def variables() -> set[str]:
    """Every PSIP_ variable that a container is given, by the compose file or by the image."""
    given = {name for one in SERVICES.values() for name in one.get("environment", {}) if name.startswith("PSIP_")}
    return given | set(re.findall(r"(PSIP_\w+)=", DOCKERFILE))


def test_every_variable_is_one_that_the_settings_know():
    known = {f"PSIP_{name.upper()}" for name in Environment.model_fields}
    assert variables() - known == set()


def test_every_app_and_every_worker_has_a_container_and_no_other_is_named():
    wanted = {("api", name) for name in APPS} | {("worker", name) for name in WORKERS}
    assert {tuple(one["command"][:2]) for one in OURS.values() if one["command"][0] in ("api", "worker")} == wanted


def test_every_secret_is_made_by_psip_secrets_and_given_to_somebody():
    given = {secret for one in SERVICES.values() for secret in one.get("secrets", ())}
    assert set(COMPOSE["secrets"]) == given == set(secrets.NAMES)


@pytest.mark.parametrize(
    ("secret", "holders"),
    [
        (secrets.PRINCIPAL_PRIVATE, {"gateway"}),
        (secrets.TOKEN_PRIVATE, {"gateway"}),
        (secrets.PSEUDONYM, {"ingest"}),
        (secrets.WEBHOOKS, {"gateway", "webhooks-worker"}),
        (secrets.password("postgres"), {"postgres", "migrate"}),
    ],
)
def test_a_secret_that_opens_much_is_in_few_hands(secret, holders):
    assert {name for name, one in SERVICES.items() if secret in one.get("secrets", ())} == holders


@pytest.mark.parametrize("service", SERVICE_DATABASES)
def test_a_service_reaches_the_database_as_itself(service):
    processes = {name: one for name, one in OURS.items() if name in (service, f"{service}-worker")}
    addresses = {one["environment"]["PSIP_DATABASE_URL"] for one in processes.values()}
    assert addresses == {f"postgresql://{service}@postgres:5432"}


@pytest.mark.parametrize("name", SERVICES.keys() - OURS.keys())
def test_what_others_made_has_no_more_rights_than_it_needs(name):
    one = SERVICES[name]
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert name != "postgres" or one["user"] == "postgres"  # whose image would begin as root


@pytest.mark.parametrize("name", OURS)
def test_a_process_can_neither_gain_rights_nor_write_outside_its_temporary_folder(name):
    one = OURS[name]
    assert one["read_only"]
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert "volumes" not in one


@pytest.mark.parametrize("name", [name for name, one in OURS.items() if one["command"][0] in ("api", "worker")])
def test_a_process_that_stays_is_asked_whether_it_is_well(name):
    assert OURS[name]["restart"] == "unless-stopped"
    assert OURS[name]["healthcheck"]["test"][:4] == ["CMD", "python", "-m", "deploy.health"]


@pytest.mark.parametrize("name", [name for name, one in OURS.items() if one["command"][0] == "worker"])
def test_the_heartbeat_of_a_worker_lies_where_it_may_write(name):
    folder = Path(re.findall(r"PSIP_HEARTBEAT=(\S+)", DOCKERFILE)[0]).parent
    assert [mount for mount in OURS[name]["tmpfs"] if mount.startswith(f"{folder}:")]


@pytest.mark.parametrize("name", ["migrate", "catalogue", "topics"])
def test_what_runs_once_is_waited_for_and_not_run_again(name):
    conditions = [one.get("depends_on", {}).get(name) for one in OURS.values()]
    assert OURS[name]["restart"] == "no"
    assert {"condition": "service_completed_successfully"} in conditions


def test_only_the_gateway_is_reached_from_outside_and_only_from_this_machine():
    published = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    assert list(published) == ["gateway"]
    assert all(port.startswith("127.0.0.1:") for port in published["gateway"])
    assert {name for name, one in SERVICES.items() if "outside" in one["networks"]} == {"gateway"}


def test_only_workers_reach_the_bus_which_asks_nobody_who_they_are():
    on_it = {name for name, one in SERVICES.items() if "bus" in one["networks"]}
    assert on_it == {"kafka", "topics", *(f"{name}-worker" for name, kind in WORKERS.items() if kind.on_bus)}


def test_only_the_gateway_and_the_worker_of_webhooks_reach_what_is_outside_and_that_worker_no_service():
    internal = {name for name, one in COMPOSE["networks"].items() if one and one.get("internal")}
    outward = {name for name, one in SERVICES.items() if set(one["networks"]) - internal}
    assert outward == {"gateway", "webhooks-worker"}
    assert set(SERVICES["webhooks-worker"]["networks"]) & internal == {"database"}


def test_every_image_names_its_version():
    images = {one["image"] for one in SERVICES.values()} - {"psip"} | set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.M))
    assert [image for image in images if not PINNED.fullmatch(image)] == []


def test_kafka_is_the_version_that_runs_without_containers():
    pom = ET.parse(ROOT / "deploy" / "kafka" / "pom.xml")
    versions = {one.findtext(f"{POM}artifactId"): one.findtext(f"{POM}version") for one in pom.iter(f"{POM}dependency")}
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{versions['kafka_2.13']}"


def test_the_image_runs_as_an_ordinary_user():
    user = re.findall(r"^USER (\S+)", DOCKERFILE, re.M)[-1]
    assert int(user) >= 1000
