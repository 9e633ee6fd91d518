"""From rows to a points table: binning, selection, regression or boosting; benchmarks beside it."""
