"""What the chain does with scorecards: train what is due, ask, score, watch."""
