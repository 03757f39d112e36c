"""Where in a body something is wrong, and what might have stood there: read off the shape that a route takes."""

from collections.abc import Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, Tag


class Place(NamedTuple):
    """The steps to a place in a body, and the names that are taken where its last step stands (none: not known)."""

    steps: tuple[Any, ...]
    names: tuple[str, ...] = ()


def place(shape: Any, path: Sequence[Any]) -> Place:
    """The place that an error of validation names by this path.

    Where one of several shapes was tried the path says which, as a step of its own: that is left out.
    """
    origin, inside = get_origin(shape), get_args(shape)
    if origin is Annotated:
        return place(inside[0], path)
    if origin in (Union, UnionType):
        return _of_one(inside, path)
    if not path:
        return Place(())
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        return _of_model(shape, path)
    if origin is list and isinstance(path[0], int):
        return _below(inside[0], path)
    if origin is dict and inside:
        return _below(inside[1], path)
    return Place(tuple(path))


def _of_one(shapes: Sequence[Any], path: Sequence[Any]) -> Place:
    for one in shapes:
        if path and _name(one) == path[0]:
            return place(one, path[1:])
    there = [one for one in shapes if one is not NoneType]
    return place(there[0], path) if len(there) == 1 else Place(tuple(path))


def _of_model(shape: type[BaseModel], path: Sequence[Any]) -> Place:
    fields = {one.alias or name: one.annotation for name, one in shape.model_fields.items()}
    if path[0] in fields:
        return _below(fields[path[0]], path)
    return Place(tuple(path), tuple(fields) if len(path) == 1 else ())


def _below(shape: Any, path: Sequence[Any]) -> Place:
    found = place(shape, path[1:])
    return Place((path[0], *found.steps), found.names)


def _name(shape: Any) -> str | None:
    """What a path calls one shape of several."""
    marks = shape.__metadata__ if get_origin(shape) is Annotated else ()
    tags = [one.tag for one in marks if isinstance(one, Tag)]
    return tags[0] if tags else getattr(shape, "__name__", None)
