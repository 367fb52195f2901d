"""From assumptions to the cash flows of every draw."""
