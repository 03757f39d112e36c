"""One rule for who lies within whom, followed by every service.

An organisation is placed in a hierarchy by its own edge in it. Where it has none on a day it is where its parent is:
the parent in the first of the hierarchies it `INHERITS` through in which it has one that day. So on any day it has one
place in each hierarchy at most, and a total over members counts each of them once. A safety-collaborative footprint
is a list of organisations, not a roll-up of ICBs: a trust that is listed lies where it is listed, wherever its ICB
lies; a care home that nobody listed lies where its ICB does. The ICB that published files name for a trust is that of
its registered address; where it works in another, `system` says so, and figures and footprints follow that. Groups of
providers and groups of peers hold whom somebody has put in them, with their sites, and nothing lies in them by itself.
"""

from collections.abc import Callable, Iterable, Mapping

INHERITS: Mapping[str, tuple[str, ...]] = {
    "provider": (),
    "icb": ("provider",),
    "system": ("icb", "provider"),
    "region": ("system", "icb", "provider"),
    "psc": ("system", "icb", "provider"),
    "national": ("region", "system", "icb", "psc", "provider"),
    "group": ("provider",),
    "peer": ("provider",),
}
"""For each hierarchy, through which others a place in it is inherited, in the order in which they are asked."""

STANDS_FOR: Mapping[str, str] = {"system": "icb"}
"""Whose parent in the second is its place in the first, where it has no other."""

HIERARCHY_OF: Mapping[str, str] = {
    "national": "national",
    "region": "region",
    "icb": "system",
    "hin": "psc",
    "provider_group": "group",
    "peer_group": "peer",
}
"""The hierarchy at whose top an organisation of a kind stands; those of other kinds hold their own sites."""

LIES_BY = ("provider", *HIERARCHY_OF.values())
"""The hierarchies that say what an organisation lies within: all but those that only files speak of."""

Children = Callable[[str], Iterable[tuple[str, str]]]
"""The organisations with an edge to a code on the day asked about, each with the hierarchy of the edge."""
Placed = Callable[[str], Iterable[str]]
"""The hierarchies in which a code has an edge of its own on that day."""
Parent = Callable[[str, str], str | None]
"""The parent of a code by its own edge in a hierarchy, on the day asked about; None if it had none."""


def followed(hierarchy: str) -> tuple[str, ...]:
    """The hierarchies whose edges place an organisation in this one; the first in which it has a parent does."""
    return (hierarchy, *INHERITS.get(hierarchy, ("provider",)))


def downwards(kind: str) -> tuple[str, ...]:
    """The hierarchies whose edges lead to what lies within an organisation of this kind: the same rule, read down.

    An edge counts unless the one it leads to has, on that day, an edge in a hierarchy that comes before it here.
    """
    return followed(HIERARCHY_OF.get(kind, "provider"))


def chain(code: str, hierarchy: str, parent: Parent) -> tuple[str, ...]:
    """Everything that holds an organisation in a hierarchy, nearest first, its own place or an inherited one."""
    found: list[str] = []
    seen, one = {code}, code
    while True:
        steps = ((way, parent(one, way)) for way in followed(hierarchy))
        way, above = next(((way, above) for way, above in steps if above is not None), (hierarchy, None))
        if above is None or above in seen:
            return tuple(found)
        seen.add(above)
        if way in (hierarchy, STANDS_FOR.get(hierarchy)):
            found.append(above)
        one = above


def below(code: str, hierarchies: Iterable[str], children: Children, placed: Placed) -> set[str]:
    """Everything that lies within an organisation by these hierarchies, itself not: `chain`, read downwards."""
    rank = {way: number for number, way in enumerate(hierarchies)}
    found, waiting = {code}, [code]
    while waiting:
        for child, way in children(waiting.pop()):
            number = rank.get(way)
            if number is None or child in found:
                continue
            if number == 0 or not any(rank.get(other, number) < number for other in placed(child)):
                found.add(child)
                waiting.append(child)
    return found - {code}
