#!/bin/sh
# Run one Rucio daemon as the container's process: RUCIO_DAEMON is its name without the prefix, and
# RUCIO_DAEMON_ARGS is shell text, because activity names contain spaces.
set -eu

if [ ! -f "${RUCIO_CONFIG:-/opt/rucio/etc/rucio.cfg}" ]; then
    echo "rucio.cfg is missing: mount a complete one" >&2
    exit 1
fi
eval "exec rucio-${RUCIO_DAEMON:?} ${RUCIO_DAEMON_ARGS:-}"
