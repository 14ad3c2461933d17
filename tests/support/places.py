"""Where the checkout's files lie, for tests in any folder."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The checkout."""
REFERENCE = ROOT / "tests" / "reference"
"""Numbers of the authors' code, copied from ``shared/reference``."""
SHARED = ROOT.parent / "shared"
"""The real data beside the checkout; absent on most machines."""
