"""What follows from transitions: where customers go and when they leave; PyMC is not imported."""
