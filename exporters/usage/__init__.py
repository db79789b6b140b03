"""Usage told to people: who holds what, and what is judged of it; tables, JSON, CSV, sums."""
