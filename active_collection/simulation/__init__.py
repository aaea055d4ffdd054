"""Simulated robots, for the demo, the tests and the benchmarks."""
