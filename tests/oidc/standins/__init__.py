"""Identity providers that cannot run here, as their sources describe them.

INDIGO IAM is released as container images, and is built with INFN's own Maven repository; OA4MP's artifacts are
not in Maven Central (looked for: org.oa4mp, 6.2.2). Tests reach package registries only. So these behave as the
products' sources say, refusals included, and what is shown with them is named as unproved in
docs/identity-providers.md.
"""
