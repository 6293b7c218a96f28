"""`python -m detector`, and the command that the package installs."""

import gc
import sys

# A run makes some hundred thousand lasting objects and hardly any cycles: collecting at every 700 of them, as
# Python does by default, took a twentieth of a run and a tenth of a replay, and freed nothing.
gc.set_threshold(50_000)

from detector.cli import main  # noqa: E402 - the imports are most of what would be collected

if __name__ == "__main__":
    sys.exit(main())
