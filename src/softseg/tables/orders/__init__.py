"""From a table of orders or invoices to a panel of customers and periods."""
