"""`python -m leanseg` is the `leanseg` command."""

from leanseg.cli import main

main()
