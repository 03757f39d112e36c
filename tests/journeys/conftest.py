"""The whole platform, once over the embedded log and once over Kafka, for all the stories."""

from collections.abc import Iterator

import pytest

from deploy.demo.organisations import homes
from deploy.platform import Platform
from shared.settings import KafkaSettings
from tests.journeys.journey import Journey


@pytest.fixture(scope="session", params=["local", pytest.param("kafka", marks=pytest.mark.kafka)])
def journey(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    """A platform with the catalogue and the demonstration's care homes in it; each story is about others."""
    over_kafka = request.param == "kafka"
    kafka = KafkaSettings(bootstrap=request.getfixturevalue("kafka_bootstrap")) if over_kafka else None
    folder = tmp_path_factory.mktemp("platform")
    with Platform(folder, kafka=kafka, working=False) as platform, Journey(platform) as journey:
        journey.as_("national").post("/v1/organisations", [home.registered() for home in homes()])
        journey.settle()
        yield journey
