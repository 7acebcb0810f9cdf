"""A small transfer service that speaks the part of FTS's REST interface which Rucio's daemons use.

For tenants without an FTS: one process, one queue, third-party copies over WebDAV. It knows nothing of the
operator and shares no module with it but this package's container image. docs/data-lake.md tells its limits.
"""
