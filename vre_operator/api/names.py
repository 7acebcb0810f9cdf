"""The names that other programs see: API group, labels, annotations, finalizer, field manager."""

GROUP = "vre.science"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "VREEnvironment"
PLURAL = "vreenvironments"
SITE_KIND = "VRESite"
SITE_PLURAL = "vresites"

FIELD_MANAGER = "vre-operator"
FINALIZER = f"{GROUP}/finalizer"

# Labels of every object that the operator owns. The reflectors select on MANAGED_BY; TENANT_* lead back
# to the VREEnvironment, by name (to adopt what a re-created one left) and by uid (to prune only its own).
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
PART_OF_LABEL = "app.kubernetes.io/part-of"
COMPONENT_LABEL = "app.kubernetes.io/component"
TENANT_NAMESPACE_LABEL = f"{GROUP}/tenant-namespace"
TENANT_NAME_LABEL = f"{GROUP}/tenant-name"
TENANT_UID_LABEL = f"{GROUP}/tenant-uid"

# Pods that belong to a tenant but not to the operator (KubeSpawner's): followed for diagnosis, never owned.
TENANT_LABEL = f"{GROUP}/tenant"
# On the pods of sessions: the entry of the catalogue that was chosen.
ENTRY_LABEL = f"{GROUP}/entry"
LAST_START_ANNOTATION = f"{GROUP}/last-start"

# A person's word, written on the VREEnvironment.
ALLOW_PRUNE_ANNOTATION = f"{GROUP}/allow-prune"
RECONCILE_ANNOTATION = f"{GROUP}/reconcile-at"
# Another word than before asks for new credentials.
ROTATE_ANNOTATION = f"{GROUP}/rotate"
# On a Secret: in which rotation its values were made.
ROTATION_ANNOTATION = f"{GROUP}/rotation"

# A digest of the configuration that a pod template was made for: a change rolls the pods.
CONFIG_DIGEST_ANNOTATION = f"{GROUP}/config-digest"
