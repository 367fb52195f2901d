"""What the cash flows say, each with its Monte Carlo error."""
