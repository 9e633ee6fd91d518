"""Hold-out AUC of the shipped points scorecards beside other methods, on the same splits."""
