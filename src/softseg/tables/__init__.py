"""Customer tables: schema, reading, checking, preparing, proposing and a synthetic example."""
