"""What the commands do, as functions of the same names: each is loaded when `leanseg.<name>` is first asked for.

An argument means what the option of its name means: messages speak of --nan where Python says nan=. Nothing is
printed, and what goes wrong is a LeansegError.
"""
