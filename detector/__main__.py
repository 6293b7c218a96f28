"""`python -m detector`, and the command that the package installs."""

import atexit
import gc
import sys

# A run makes some hundred thousand lasting objects and hardly any cycles: collecting at every 700 of them, as
# Python does by default, took a twentieth of a run and a tenth of a replay, and freed nothing.
gc.set_threshold(50_000)
# At its exit Python searches all of them for cycles, several times: a fifth of a run, for memory that ends
# with the process. What must be closed or flushed was so before.
atexit.register(gc.freeze)

try:
    from detector.cli import main
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] == "detector":
        raise
    print(  # noqa: T201 - nothing of the program is there that could print it
        f"detector: its packages are missing ({error.name}): in a clone run `make run` once"
        " and use .venv/bin/python",
        file=sys.stderr,
    )
    sys.exit(4)

if __name__ == "__main__":
    sys.exit(main())
