"""Statistics for anyone's numbers: the engine behind the charts, stateless."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from services.measures import schemas
from services.measures.problems import InvalidSeries, InvalidStatistic
from services.measures.rules import cusum, funnel, indicators, inequality, spc
from services.measures.rules.invalid import TOO_FAR_APART, InvalidRow
from shared.principal import Principal, Requires
from shared.problems import problems

router = APIRouter(prefix="/v1/statistics", tags=["Statistics"])
MayRead = Annotated[Principal, Depends(Requires("measures:read"))]
MOST_SERIES = 10_000
MOST_POINTS = 1_000_000


async def whole_body(request: Request) -> bytes:
    """The body as it came: the engine reads it itself, faster than a model would."""
    return await request.body()


_SPC_SCHEMA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": schemas.whole_schema(spc.Request),
                "example": {
                    "series": [
                        {
                            "id": "a",
                            "chart": "xmr",
                            "labels": ["2026-01", "2026-02", "2026-03"],
                            "values": [12, 15, 11],
                            "improvement": "decrease",
                        }
                    ]
                },
            }
        },
    }
}
_SPC_ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["series"],
    "properties": {"series": {"type": "array", "items": schemas.whole_schema(spc.Answer)}},
}
_SPC_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Every series judged, in the order they were sent.",
        "content": {"application/json": {"schema": _SPC_ANSWER, "example": schemas.example("SpcAnswer")}},
    }
}


@router.post(
    "/spc",
    responses=problems(InvalidSeries) | _SPC_ANSWERS,
    openapi_extra=_SPC_SCHEMA,
)
def compute_spc(caller: MayRead, body: Annotated[bytes, Depends(whole_body)]) -> Response:
    """Control limits, signals and icons for up to 10,000 series, in the order they were sent."""
    try:
        request = spc.read(body)
        if len(request.series) > MOST_SERIES:
            raise _too_many(f"{len(request.series)} series: send at most {MOST_SERIES} at once")
        if sum(len(one.labels) for one in request.series) > MOST_POINTS:
            raise _too_many(f"send at most {MOST_POINTS} points at once")
        return StreamingResponse(
            spc.evaluate_json(request.series, ruleset=request.ruleset), media_type="application/json"
        )
    except spc.InvalidSeries as wrong:
        errors = [{"pointer": wrong.pointer, "message": wrong.message}]
        raise InvalidSeries(str(wrong), errors=errors) from wrong
    except msgspec.DecodeError as wrong:
        raise InvalidSeries(str(wrong), errors=[{"pointer": spc.pointer(wrong), "message": str(wrong)}]) from wrong
    except UnicodeDecodeError as wrong:
        raise InvalidSeries(str(wrong), errors=[{"pointer": "", "message": str(wrong)}]) from wrong


def _too_many(message: str) -> InvalidSeries:
    return InvalidSeries(message, errors=[{"pointer": "/series", "message": message}])


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class IntervalsRequest(_Strict):
    """Rows whose shape the method asks for: see the guide for analysts."""

    method: Literal["proportion", "rate", "mean", "dsr", "is_ratio", "is_rate"]
    confidence: float = 0.95
    multiplier: float = 1
    rows: list[dict[str, Any]] = Field(max_length=100_000)


class FunnelRequest(_Strict):
    """Rows of `group`, `numerator` and `denominator` (expected events for a standardised ratio)."""

    kind: Literal["standardised_ratio", "proportion", "ratio_of_counts"]
    method: Literal["shmi", "cqc"] = "shmi"
    adjust: bool = True
    trim: float = 0.1
    multiplier: float = 1
    limit: float = 99.8
    rows: list[dict[str, Any]] = Field(max_length=100_000)


class InequalityRequest(_Strict):
    """Rows of `quantile` (1 is the most deprived), `population`, `value`, `lower` and `upper`."""

    value_type: Literal["rate", "proportion", "mean"]
    multiplier: float = 1
    transform: bool = False
    confidence: float = 0.95
    rows: list[dict[str, Any]] = Field(max_length=1000)


class CusumRequest(_Strict):
    """Expected risks `p` and outcomes `y` (0 or 1), case by case in order of time."""

    p: list[float] = Field(max_length=1_000_000)
    y: list[float] = Field(max_length=1_000_000)
    odds_ratio_up: float = 2
    odds_ratio_down: float = 0.5
    limit_up: float = 2.5
    limit_down: float = 2.5
    reset: bool = True


@contextmanager
def _pointing(place: str = "/rows/{index}/{field}") -> Iterator[None]:
    try:
        with np.errstate(all="ignore"):
            yield
    except InvalidRow as wrong:
        pointer = f"/{wrong.field}" if wrong.index is None else place.format(index=wrong.index, field=wrong.field)
        errors = [{"pointer": pointer, "message": wrong.message}]
        raise InvalidStatistic(str(wrong), errors=errors) from wrong
    except (ArithmeticError, np.linalg.LinAlgError) as wrong:
        errors = [{"pointer": "/rows", "message": TOO_FAR_APART}]
        raise InvalidStatistic(f"the rows {TOO_FAR_APART}", errors=errors) from wrong


def _json(answer: Any) -> Response:
    return Response(orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


@router.post("/intervals", responses=problems(InvalidStatistic) | schemas.answers(schemas.IntervalsAnswer))
def compute_intervals(caller: MayRead, body: IntervalsRequest) -> Response:
    """Figures with confidence intervals: Wilson, exact and Byar's, Student, Dobson."""
    with _pointing():
        found = indicators.intervals(body.method, body.rows, confidence=body.confidence, multiplier=body.multiplier)
        return _json({"rows": found})


@router.post("/funnel", responses=problems(InvalidStatistic) | schemas.answers(schemas.FunnelAnswer))
def compute_funnel(caller: MayRead, body: FunnelRequest) -> Response:
    """A funnel with overdispersion: target, limits and outliers by group."""
    with _pointing():
        return _json(funnel.funnel(**body.model_dump()))


@router.post("/inequality", responses=problems(InvalidStatistic) | schemas.answers(schemas.InequalityAnswer))
def compute_inequality(caller: MayRead, body: InequalityRequest) -> Response:
    """Slope and relative index of inequality, with confidence limits by simulation."""
    with _pointing():
        return _json(inequality.inequality(**body.model_dump()))


@router.post("/cusum", responses=problems(InvalidStatistic) | schemas.answers(schemas.CusumAnswer))
def compute_cusum(caller: MayRead, body: CusumRequest) -> Response:
    """VLAD and risk-adjusted CUSUM, with the cases at which they signal."""
    with _pointing("/{field}/{index}"):
        return _json(asdict(cusum.risk_adjusted_cusum(**body.model_dump())))
