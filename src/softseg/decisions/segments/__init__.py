"""A programme per segment: what it brings where, and on what that rests."""
