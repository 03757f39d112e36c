"""The secrets of an installation: made where they are missing, and left alone where they are not."""

from pathlib import Path

import pytest

from deploy import secrets
from shared.principal import Principal, Signer, Verifier

SOMEBODY = Principal("somebody", frozenset({"measures:read"}), frozenset())


def kept(folder: Path) -> dict[str, str]:
    return {name: secrets.read(folder, name) for name in secrets.NAMES}


def test_what_is_missing_is_made_and_what_is_there_stays(tmp_path: Path) -> None:
    secrets.ensure(tmp_path)
    before = kept(tmp_path)
    (tmp_path / secrets.PSEUDONYM).unlink()
    secrets.ensure(tmp_path)
    after = kept(tmp_path)
    assert {name for name in secrets.NAMES if before[name] != after[name]} == {secrets.PSEUDONYM}


@pytest.mark.parametrize("lost", [secrets.PRINCIPAL_PRIVATE, secrets.PRINCIPAL_PUBLIC])
def test_of_a_pair_of_which_one_key_was_lost_both_are_made_anew(tmp_path: Path, lost: str) -> None:
    secrets.ensure(tmp_path)
    (tmp_path / lost).unlink()
    secrets.ensure(tmp_path)
    signed = Signer(secrets.read(tmp_path, secrets.PRINCIPAL_PRIVATE)).sign(SOMEBODY)
    assert Verifier(secrets.read(tmp_path, secrets.PRINCIPAL_PUBLIC)).verify(signed).client_id == "somebody"
