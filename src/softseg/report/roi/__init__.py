"""The report on the return of a programme: one offline page for controllers."""
