"""From a table to the statistics of its patterns, and the kernel that all methods stand on."""
