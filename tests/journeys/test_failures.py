"""What dies in the midst of submissions loses nothing and counts nothing twice.

The full storm of 200 submissions for each victim is `python -m benchmarks.failures`; here it is a smaller one.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.failures import VICTIMS, ClientFor, Storm, one_process, supplier_of
from deploy.cluster import Cluster
from deploy.ports import free_ports

SUBMISSIONS = 60


def test_the_one_process_platform_keeps_every_receipt_it_gave(tmp_path: Path) -> None:
    with one_process(tmp_path, free_ports(1)[0]) as platform:
        storm = Storm(platform.client, 2019, SUBMISSIONS)

        def strike() -> None:
            platform.kill()
            platform.start()

        storm.break_over(strike)

        assert storm.settled_wrongs() == []


@pytest.fixture(scope="module")
def cluster(kafka_possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, ClientFor]]:
    """Every process over a broker of its own, to be killed."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as one:
        yield one, supplier_of(one)


@pytest.mark.kafka
def test_a_cluster_keeps_every_receipt_it_gave(cluster: tuple[Cluster, ClientFor]) -> None:
    processes, client_for = cluster
    storm = Storm(client_for, 2020, SUBMISSIONS)

    def strike() -> None:
        for dies in VICTIMS.values():
            dies(processes)

    storm.break_over(strike)

    assert storm.settled_wrongs() == []
