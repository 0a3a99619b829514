"""Holds AWS and the embedded AWS against one contract: ``python -m tools.conformance``.

``checks`` says what a check is, ``cases`` holds them, ``place`` is where they are run: either door
into a world, or a real account. ``comparison`` tells two runs apart, ``questions`` lists what the
embedded AWS had to assume.
"""
