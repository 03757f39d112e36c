"""What is shown: the shapes of every answer, for the reference and for the clients made from it.

Answers are written from the rules' own results, not through these models; `tests/measures/test_schemas.py` holds the
two together.
"""

from services.measures.schemas.charts import Chart
from services.measures.schemas.comparisons import Funnel, Inequalities, Matrix
from services.measures.schemas.engine import whole_schema
from services.measures.schemas.explanations import Explanation
from services.measures.schemas.exports import ExportRow
from services.measures.schemas.previews import Preview
from services.measures.schemas.progress import TargetProgress
from services.measures.schemas.reference import answers, example, table
from services.measures.schemas.series import Series
from services.measures.schemas.signals import Signals
from services.measures.schemas.statistics import CusumAnswer, FunnelAnswer, InequalityAnswer, IntervalsAnswer

__all__ = [
    "Chart",
    "CusumAnswer",
    "Explanation",
    "ExportRow",
    "Funnel",
    "FunnelAnswer",
    "Inequalities",
    "InequalityAnswer",
    "IntervalsAnswer",
    "Matrix",
    "Preview",
    "Series",
    "Signals",
    "TargetProgress",
    "answers",
    "example",
    "table",
    "whole_schema",
]
