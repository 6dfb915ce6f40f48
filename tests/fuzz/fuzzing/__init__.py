"""A fuzzer for everything that strongroom reads: rows, histories, exports, key files, commands.

``make fuzz SECONDS=60`` runs it. A *form* is one kind of input, in a module of its own: it makes
cases from a seed and checks each. A *case* is a dict that JSON can hold, and replays on its own. A
*finding* is a case that broke a promise.
"""
