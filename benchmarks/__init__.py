"""Benchmarks: each runs the platform and its baseline side by side and prints ratios as JSON."""
