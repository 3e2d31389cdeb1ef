"""Benchmarks, side by side with their baselines: `python -m benchmarks`."""
