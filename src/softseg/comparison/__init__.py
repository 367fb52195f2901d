"""What other ways of segmenting the same customers would have said."""
