"""The only writes. Each changes rows, records the change and publishes the new state, in one transaction."""

from services.programmes.commands.annotations import Note, accept, annotate, reword, withdraw
from services.programmes.commands.audit import Act, take_turn
from services.programmes.commands.catalogue import Loaded, load_catalogue
from services.programmes.commands.enrolments import Joining, enrol, move_on
from services.programmes.commands.measures import (
    discard_draft,
    draft_measure,
    proposal,
    publish_measure,
    redraft_measure,
    retire_measure,
)
from services.programmes.commands.organisation_files import Difference, load_organisations
from services.programmes.commands.organisations import Written, register_organisations
from services.programmes.commands.programmes import (
    register_programme,
    revise_programme,
    revise_target,
    set_target,
)

__all__ = [
    "Act",
    "Difference",
    "Joining",
    "Loaded",
    "Note",
    "Written",
    "accept",
    "annotate",
    "discard_draft",
    "draft_measure",
    "enrol",
    "load_catalogue",
    "load_organisations",
    "move_on",
    "proposal",
    "publish_measure",
    "redraft_measure",
    "register_organisations",
    "register_programme",
    "retire_measure",
    "revise_programme",
    "revise_target",
    "reword",
    "set_target",
    "take_turn",
    "withdraw",
]
