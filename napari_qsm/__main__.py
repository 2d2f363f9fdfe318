"""``python -m napari_qsm`` is the command line."""

import sys

from napari_qsm.cli import main

sys.exit(main())
