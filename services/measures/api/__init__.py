"""The HTTP door: figures and charts for analysts and the front end, statistics for anyone's numbers."""

from fastapi import APIRouter

from services.measures.api import comparisons, exports, figures, previews, rehearsals, statistics, targets

ROUTERS: tuple[APIRouter, ...] = (
    figures.router,
    comparisons.router,
    targets.router,
    exports.router,
    previews.router,
    rehearsals.router,
    statistics.router,
)
