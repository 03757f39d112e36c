"""The demonstration: invented figures with the shape of real ones, and stories to be found in them.

The organisations of the catalogue are real and nothing said of them here is: every row is drawn at random from
published national rates. The care homes are invented too, and their names say so.
"""
