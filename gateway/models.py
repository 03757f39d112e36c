"""Every table of the database `gateway`: of access, of live updates, and of the messages it hears."""

from gateway.access.models import Base
from gateway.live import models as live
from shared.messaging.tables import add_tables

add_tables(Base.metadata)

__all__ = ["Base", "live"]
