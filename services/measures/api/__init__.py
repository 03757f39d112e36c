"""The HTTP door: figures and charts for analysts and the front end, statistics for anyone's numbers."""

from fastapi import APIRouter

from services.measures.api import figures, statistics

ROUTERS: tuple[APIRouter, ...] = (figures.router, statistics.router)
