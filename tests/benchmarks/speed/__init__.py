"""How fast the course is beside what a user would pick instead: `make bench`, or `python -m tests.benchmarks.speed`."""
