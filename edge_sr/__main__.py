"""``python -m edge_sr``."""

from edge_sr.cli.app import main

main()
