"""What migration is worth in money, and what it is worth to change it; PyMC is not imported."""
