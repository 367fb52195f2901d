"""The workbook of a calculation: assumptions, live formulas, draws and an audit sheet."""

from softseg.report.workbook.book import write_workbook

__all__ = ["write_workbook"]
