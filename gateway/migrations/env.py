"""Migrations of the database `gateway`."""

from gateway.models import Base
from shared.migrations import run

run(Base.metadata)
