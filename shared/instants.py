"""Instants in the address of a request."""

import re
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator

_LOST_PLUS = re.compile(r"(?<=\d) (?=\d\d:\d\d$)")


def _with_its_plus(written: object) -> object:
    """A `+` that was not escaped comes as a space: an `as_of` that is copied into `known_at` means what it says."""
    return _LOST_PLUS.sub("+", written) if isinstance(written, str) else written


Instant = Annotated[AwareDatetime, BeforeValidator(_with_its_plus)]
"""An instant with an offset (RFC 3339)."""
