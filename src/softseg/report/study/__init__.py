"""The report of a study: from the customer table to the decision, in one offline page."""
