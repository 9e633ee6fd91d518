"""What is measured of a score: discrimination, stability, fairness."""
