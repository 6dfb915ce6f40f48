"""``python -m strongroom.cli``, where the command is not on the path."""

import sys

from strongroom.cli import main

sys.exit(main())
