"""The only writes. Each changes rows, records the change and publishes the new state, in one transaction."""

from services.programmes.commands.audit import Act
from services.programmes.commands.organisations import register_organisations

__all__ = ["Act", "register_organisations"]
