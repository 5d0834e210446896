"""`python -m anden`."""

import sys

from anden.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
