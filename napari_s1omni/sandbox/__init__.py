"""Run code that a model wrote, confined by the kernel of the operating system.

``inside`` is what runs in the confined process: the standard library and numpy, nothing else of this package.
Everything beside it is the host's side: it starts the process, answers its requests, and trusts nothing that it says.
"""
