"""The body of a request, read straight into series; a fault in it is named as one found later would be."""

import json
import re
from typing import Any

import msgspec

from services.measures.rules.spc.series import InvalidSeries, Ruleset, Series


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Series to chart, and the variant of the rules to judge them by."""

    series: list[Series]
    ruleset: Ruleset = Ruleset()


_DECODER = msgspec.json.Decoder(Request)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*?)`")
_NOT_JSON = object()
_PLACE = re.compile(r" - at `\$\.series\[(?P<series>\d+)\](?:\.(?P<field>\w+))?(?:\[(?P<index>\d+)\])?.*`$")
_WHOLE = re.compile(r" - at `\$(?P<path>[\w.]*)`$")


def read(body: bytes) -> Request:
    """Read a JSON body.

    Raises `InvalidSeries` for a fault in one of the series, and `msgspec.DecodeError` for any other.
    """
    try:
        return _DECODER.decode(body)
    except msgspec.ValidationError as fault:
        message = str(fault)
        place = _PLACE.search(message)
        if place is None:
            kind = Ruleset if "$.ruleset" in message else Request
            raise msgspec.ValidationError(_UNKNOWN.sub(_taken_by(kind), message)) from None
        index, unknown = place["index"], _UNKNOWN.match(message)
        raise InvalidSeries(
            _UNKNOWN.sub(_taken_by(Series), message[: place.start()]),
            series=int(place["series"]),
            field=unknown["name"] if unknown else place["field"] or "",
            index=None if index is None else int(index),
        ) from None
    except msgspec.DecodeError:
        if (named := _not_finite(body)) is not None:
            raise named from None
        raise


def pointer(fault: msgspec.DecodeError) -> str:
    """The JSON pointer of a fault outside the series; empty for a body that is no JSON."""
    place = _WHOLE.search(str(fault))
    return place["path"].replace(".", "/") if place else ""


def _not_finite(body: bytes) -> InvalidSeries | None:
    """The first NaN or infinity in a series, named by its place: no JSON, but many a program writes them."""
    try:
        request: Any = json.loads(body, parse_constant=lambda _: _NOT_JSON)
    except (ValueError, RecursionError):
        return None
    all_series = request.get("series") if isinstance(request, dict) else None
    for number, series in enumerate(all_series if isinstance(all_series, list) else ()):
        for field, given in series.items() if isinstance(series, dict) else ():
            for index, one in enumerate(given) if isinstance(given, list) else ((None, given),):
                if one is _NOT_JSON or (isinstance(one, list) and _NOT_JSON in one):
                    message = "NaN and the infinities are no numbers here: write null for what is missing"
                    return InvalidSeries(message, series=number, id=str(series.get("id", "")), field=field, index=index)
    return None


def _taken_by(kind: type[msgspec.Struct]) -> str:
    return rf"there is no field `\g<name>`; this takes: {', '.join(kind.__struct_encode_fields__)}"
