"""Run folders: what a fit writes, how it is locked, read again and repeated."""
