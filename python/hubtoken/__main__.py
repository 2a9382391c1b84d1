"""``python -m hubtoken``: runs the ``hubtoken`` command if its script is not on the path."""

import sys

from hubtoken._core import main

if __name__ == "__main__":
    sys.exit(main())
