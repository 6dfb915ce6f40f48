"""A fuzzer for everything that strongroom reads: rows, histories, exports, key files, commands.

``make fuzz SECONDS=60`` runs it; ``SEED=``, ``FORM=``, ``CASE=`` and ``REPLAY=`` narrow it down. A
*form* is one kind of input, in a module of its own: it makes cases from a seed and checks each. A
*case* is a dict that JSON can hold, and it can be replayed alone. A *finding* is a broken promise.

When you mend a finding, save the line that the fuzzer printed as a file in ``corpus/``. The fast
tests replay it. Findings that are known and not mended yet are listed in ``expected.py``.
"""
