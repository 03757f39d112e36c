"""What operators say in the environment reaches the process it is for, and is in their guide."""

import re
from pathlib import Path

import pytest

from deploy.settings import Environment

GUIDE = (Path(__file__).parents[2] / "docs" / "operators.md").read_text()


def test_the_quota_and_the_room_of_ingest_are_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("principal.public.jwk", "pseudonym.key"):
        (tmp_path / name).write_text("k" * 64)
    said = {
        "PSIP_SECRETS_DIR": str(tmp_path), "PSIP_DATABASE_URL": "postgresql://ingest:x@db:5432",
        "PSIP_INGEST_ROWS_PER_MINUTE": "1000", "PSIP_INGEST_SPARE_ROOM": "7", "PSIP_INGEST_DATABASE_VOLUME": "/data",
    }  # fmt: skip
    for name, value in said.items():
        monkeypatch.setenv(name, value)

    ingest = Environment().ingest()

    assert (ingest.rows_per_minute, ingest.spare_room, ingest.database_volume) == (1000, 7, Path("/data"))


def test_the_guide_of_operators_names_every_variable_there_is_and_no_other():
    told = set(re.findall(r"^\| `(PSIP_\w+)` \|", GUIDE, re.MULTILINE))

    assert told == {f"PSIP_{name.upper()}" for name in Environment.model_fields}
