"""Benchmarks against the budgets; run with ``make bench``, never as tests."""
