"""Customers over time: from a long table, or from orders, to a checked panel."""
