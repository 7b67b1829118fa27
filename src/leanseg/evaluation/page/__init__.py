"""The report that people look at: one HTML file that needs nothing beside itself."""

from leanseg.evaluation.page.document import write_page

__all__ = ["write_page"]
