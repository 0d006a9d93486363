"""The operating system: no other module asks which one this is, or calls what only some of them have.

Today that is Linux. A second system is added here and nowhere else.
"""
