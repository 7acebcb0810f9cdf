#!/bin/sh
# Serve Rucio's REST API on port 80, like the official image does without RUCIO_ENABLE_SSL.
# Unlike it, arguments are run as a command, and a missing rucio.cfg is an error: we never want the defaults.
set -eu

[ $# -eq 0 ] || exec "$@"

config=${RUCIO_CONFIG:-/opt/rucio/etc/rucio.cfg}
if [ ! -f "$config" ]; then
    echo "$config is missing: mount a complete rucio.cfg" >&2
    exit 1
fi

# No access log: it is the probes' noise, and the official format has leaked tokens. The application is
# loaded before the fork, so that a broken configuration ends the container instead of looping in its workers.
exec gunicorn \
    --config /usr/local/lib/gunicorn.conf.py \
    --bind 0.0.0.0:80 \
    --workers "${RUCIO_WSGI_DAEMON_PROCESSES:-2}" \
    --threads "${RUCIO_WSGI_DAEMON_THREADS:-4}" \
    --worker-tmp-dir /dev/shm \
    --preload \
    --no-control-socket \
    rucio.web.rest.main:application
