"""The report of a panel: where customers go, when they leave, what lies ahead."""
