"""Whether this is `make test-long`, which leaves nothing out, or the share of it that CI runs."""

import os

LONG = os.environ.get("VRE_LONG") == "1"
