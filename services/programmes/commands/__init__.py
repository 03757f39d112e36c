"""The only writes. Each changes rows, records the change and publishes the new state, in one transaction."""

from services.programmes.commands.annotations import Note, accept, annotate, reword, withdraw
from services.programmes.commands.audit import Act
from services.programmes.commands.catalogue import Loaded, load_catalogue
from services.programmes.commands.enrolments import Joining, enrol, move_on
from services.programmes.commands.organisations import register_organisations

__all__ = [
    "Act",
    "Joining",
    "Loaded",
    "Note",
    "accept",
    "annotate",
    "enrol",
    "load_catalogue",
    "move_on",
    "register_organisations",
    "reword",
    "withdraw",
]
