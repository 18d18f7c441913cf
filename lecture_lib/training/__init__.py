"""Training: one loop that yields a record a step, and what it trains."""
