"""A report as a document, and how it is written: as Markdown, or as one page of HTML.

Knows no record and no rollout, only texts.
"""
