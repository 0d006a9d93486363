"""Results of runs: pixels, tables of objects, reports and figures."""
