"""One file in, one folder out: from the customer table to what a segment programme is worth."""
