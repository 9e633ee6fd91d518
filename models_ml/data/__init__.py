"""The rows a scorecard is fitted on and scores: point in time, split, declined ones included."""
