"""python -m edgetrack"""

from edgetrack.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
