"""`python -m cli`: the same as `./countersign`."""

from cli.app import main

main()
