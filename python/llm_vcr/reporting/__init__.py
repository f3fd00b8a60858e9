"""A run for people to look at: its ``summary.json`` as a page, and as GitHub's annotations and step summary.

Everything is read from the summary, so that the page can be made again at any time, by any machine, with earlier runs beside it.
"""
