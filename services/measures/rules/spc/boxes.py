"""Bounds of the best box and cut box runs tests for 10 to 100 useful points.

Anhøj and Wentzel-Larsen, "Smooth operator: Modifying the Anhøj rules to improve runs analysis in statistical process
control", PLoS ONE 15(6): e0233920 (2020).
"""

import numpy as np

_FEWEST_CROSSINGS = """
2 3 3 3 3 4 5 5 5 5 6 7 6 6 6 6 9 9 9 10 11 11 11 11 11 12 13 14 13 15 15
15 14 14 17 17 17 17 19 19 19 19 19 21 21 21 21 23 23 23 23 23 25 25 26 26 27 27 27 28 29 29
29 30 30 31 31 31 32 33 33 33 34 33 35 35 35 35 37 37 38 37 39 39 39 39 39 41 41 42 41
"""
_LONGEST_RUN = """
6 7 6 6 6 7 8 7 7 7 7 8 7 7 7 7 9 8 8 8 10 9 8 8 8 8 9 10 8 11 9
9 8 8 10 9 9 9 12 10 9 9 9 11 10 9 9 12 10 10 9 9 11 10 11 10 12 10 10 11 14 11
10 11 10 12 11 10 11 13 11 10 11 10 11 11 10 10 12 11 12 10 13 11 11 10 10 12 11 12 10
"""
# Where the cut box has a corner cut: the crossings from which the longest run is the box's, and the longest run where
# crossings are fewest. 0: nothing is cut.
_CORNER_CROSSINGS = """
3 4 0 0 0 6 6 0 6 6 0 0 7 7 7 0 10 10 11 0 12 14 0 12 13 0 15 0 0 0 0
17 0 0 0 0 19 20 20 21 0 21 21 23 23 0 23 25 24 26 0 24 27 27 27 27 29 0 29 29 30 31
30 31 0 32 34 33 33 37 35 0 36 36 0 38 36 38 38 39 0 39 41 40 42 0 41 42 44 43 42
"""
_CORNER_RUN = """
5 6 0 0 0 6 7 0 6 5 0 0 6 6 6 0 7 7 7 0 9 8 0 7 7 0 8 0 0 0 0
8 0 0 0 0 8 7 11 9 0 8 7 9 8 0 8 11 9 8 0 8 9 9 10 9 10 0 8 8 13 9
9 10 0 9 8 9 8 11 9 0 10 7 0 8 9 8 10 9 0 9 12 10 8 0 8 9 9 10 9
"""

BOXES = np.array(
    [[int(bound) for bound in row.split()] for row in (_FEWEST_CROSSINGS, _LONGEST_RUN, _CORNER_CROSSINGS, _CORNER_RUN)]
)
