"""Statistical process control: centre, limits, rules and runs of any number of series at once.

`evaluate` answers in objects, `evaluate_json` in text, `icons` with no more than the icons; `read` takes the request
and `pointer` tells where one is at fault; `suggest_step_changes` proposes where a person might rebase.
"""

from services.measures.rules.spc.answers import Answer, Point, RunsTest, Segment, evaluate
from services.measures.rules.spc.charts import CHARTS
from services.measures.rules.spc.icons import Icons, icons
from services.measures.rules.spc.reading import Request, pointer, read
from services.measures.rules.spc.series import InvalidSeries, Ruleset, Series
from services.measures.rules.spc.suggest import Phase, suggest_step_changes
from services.measures.rules.spc.text import evaluate_json

__all__ = [
    "CHARTS",
    "Answer",
    "Icons",
    "InvalidSeries",
    "Phase",
    "Point",
    "Request",
    "Ruleset",
    "RunsTest",
    "Segment",
    "Series",
    "evaluate",
    "evaluate_json",
    "icons",
    "pointer",
    "read",
    "suggest_step_changes",
]
