"""What only instructors have: hidden cases, solutions, mutants, and the grader that runs submissions in isolation."""
