"""Whether a cluster's API server answers."""

import ssl
import urllib.request

from dev.cluster.layout import Layout


def api_ready(layout: Layout) -> bool:
    """Tell whether the API server answers and has set up its own objects."""
    try:
        trust = ssl.create_default_context(cafile=str(layout.ca_file))
        with urllib.request.urlopen(f"{layout.api_url}/readyz", timeout=2, context=trust) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
