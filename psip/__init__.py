"""The client of the patient-safety improvement platform, for suppliers of rows and for analysts.

from psip import Client

with Client("https://psip.example", "my-client", "my-secret") as client:
    receipt = client.submit("births-2026-10.csv", feed="births")
    preterm = client.series("mn-preterm", "RGT").to_polars()
"""

from psip.answers import Receipt, Series
from psip.client import Client
from psip.live import LiveEvent, LiveStream
from psip.problems import PsipProblem

__all__ = ["Client", "LiveEvent", "LiveStream", "PsipProblem", "Receipt", "Series"]
