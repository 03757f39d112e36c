"""Version numbers in three parts, as definitions, programmes and targets carry them."""

import re

_SHAPE = re.compile(r"(\d+)\.(\d+)\.(\d+)")
FIRST = "1.0.0"


def parts(version: str) -> tuple[int, int, int]:
    """The three numbers of a version, for comparing. Raises ValueError for anything else."""
    found = _SHAPE.fullmatch(version)
    if found is None:
        raise ValueError(f"{version!r} is not a version: write three numbers, such as 1.0.0")
    major, minor, patch = map(int, found.groups())
    return major, minor, patch


def after(version: str | None) -> str:
    """The version that comes next when nobody names one: the middle number counts up."""
    if version is None:
        return FIRST
    major, minor, _ = parts(version)
    return f"{major}.{minor + 1}.0"


def is_later(version: str, than: str | None) -> bool:
    """Whether the version may follow the other."""
    return than is None or parts(version) > parts(than)
