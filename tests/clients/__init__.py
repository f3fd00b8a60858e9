"""Every real client against the stand-in: recorded in one process, replayed in another with no route to it.

``python -m tests.clients`` runs the matrix and prints it; pytest runs the same through `test_fast` and `test_every`. One file per client
below `cases/`: a case is a function of the stand-in's URL, and what it must not be confused with stands right below it.
"""
