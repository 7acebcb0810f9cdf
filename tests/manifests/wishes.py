"""All other wishes that must be refused."""

from __future__ import annotations

from tests.manifests.base import GATEWAY, ONE, TLS, Bad, bad, catalogue, entry, identity, notebooks

BAD_WISHES: tuple[Bad, ...] = (
    # the hostname
    bad("hostname with scheme", {"hostname": "https://vre.example.org"}, "hostname", "without scheme"),
    bad("hostname with port", {"hostname": "vre.example.org:8443"}, "hostname", "without scheme, port"),
    bad("hostname with path", {"hostname": "vre.example.org/hub"}, "hostname", "port, path"),
    bad("hostname in upper case", {"hostname": "VRE.example.org"}, "hostname", "in lower case"),
    bad("hostname of one label", {"hostname": "localhost"}, "hostname", "a full DNS name"),
    bad("hostname wildcard", {"hostname": "*.example.org"}, "hostname", "wildcard"),
    bad("hostname an address", {"hostname": "192.0.2.10"}, "hostname", "a full DNS name"),
    bad("hostname with newline", {"hostname": "vre.example.org\n"}, "hostname", "a full DNS name"),
    bad("hostname with dot at the end", {"hostname": "vre.example.org."}, "hostname", "a full DNS name"),
    bad("hostname too long", {"hostname": f"{'a' * 60}." * 4 + "org"}, "hostname", "maxLength 200", "200"),
    bad("hostname a list", {"hostname": ["vre.example.org"]}, "hostname", "kubectl explain", "string"),
    # identity
    bad("no identity", {"identity": ...}, "identity", "add it", "Required value"),
    identity(
        "provider without issuer", {"issuer": ..., "credentialsSecret": ...}, "provider", "name the issuer"
    ),
    identity(
        "credential without issuer", {"issuer": ..., "provider": ...}, "credentialsSecret", "name the issuer"
    ),
    identity("issuer by http", {"issuer": "http://sso.example.org/realms/vre"}, "issuer", "give https://"),
    identity("issuer with user", {"issuer": "https://a:b@sso.example.org/realms/vre"}, "issuer", "no user"),
    identity("issuer with query", {"issuer": "https://sso.example.org/realms/vre?x=1"}, "issuer", "query"),
    identity("issuer with fragment", {"issuer": "https://sso.example.org/realms/vre#x"}, "issuer", "fragment"),
    identity(
        "issuer with a port beyond all ports", {"issuer": "https://a.org:65536/realms/vre"}, "issuer", "port"
    ),
    identity("issuer an address", {"issuer": "https://10.0.0.1/realms/vre"}, "issuer", "IP address"),
    identity("issuer an IPv6 address", {"issuer": "https://[fd00::1]/realms/vre"}, "issuer", "IP address"),
    identity(
        "issuer with spaces", {"issuer": "https://sso.example.org/realms/my vre"}, "issuer", "give https://"
    ),
    identity("issuer no realm", {"issuer": "https://sso.example.org/auth"}, "issuer", "/realms/REALM"),
    identity(
        "issuer realm with slash", {"issuer": "https://sso.example.org/realms/vre/"}, "issuer", "trailing slash"
    ),
    identity("unknown provider", {"provider": "keycloak"}, "provider", "keycloak-admin", "keycloak-admin"),
    identity("no credential", {"credentialsSecret": ...}, "credentialsSecret", "client_id and client_secret"),
    identity(
        "manual without client", {"provider": ..., "credentialsSecret": ...}, "credentialsSecret", "name the"
    ),
    identity(
        "IAM without its client",
        {"provider": "iam-admin", "credentialsSecret": ...},
        "credentialsSecret",
        "iam-admin, oa4mp: client_id",
    ),
    identity(
        "OA4MP without an admin client",
        {"provider": "oa4mp", "credentialsSecret": ...},
        "credentialsSecret",
        "iam-admin, oa4mp: client_id",
    ),
    identity("secret as a string", {"credentialsSecret": "x"}, "credentialsSecret", "explain", "object"),
    identity(
        "secret without name",
        {"credentialsSecret": {"name": ...}},
        "credentialsSecret.name",
        "add it",
        "Required",
    ),
    identity(
        "secret of another namespace",
        {"credentialsSecret": {"namespace": "kube-system"}},
        "credentialsSecret.namespace",
        "the fields here are name",
        "unknown field",
    ),
    identity(
        "bad secret name", {"credentialsSecret": {"name": "Reg_1"}}, "credentialsSecret.name", "lower-case"
    ),
    identity("nobody let in", {"allowedGroups": ...}, "allowedGroups", "set allowAll to true"),
    identity("nobody let in, in words", {"allowedGroups": []}, "allowedGroups", "list at least one group"),
    identity("groups and everybody", {"allowAll": True}, "allowedGroups", "remove allowedGroups"),
    identity("groups as a string", {"allowedGroups": "researchers"}, "allowedGroups", "explain", "array"),
    identity(
        "group twice", {"allowedGroups": ["a", "a"]}, "allowedGroups[1]", "different value", "Duplicate value"
    ),
    identity("group empty", {"allowedGroups": [""]}, "allowedGroups[0]", "minLength 1", "at least 1"),
    identity("truth as a string", {"allowAll": "no"}, "allowAll", "without quotes", "boolean"),
    identity("scopes without openid", {"scopes": ["profile"]}, "scopes", "add openid"),
    identity(
        "scopes in one string", {"scopes": ["openid profile", "openid"]}, "scopes[0]", "an item of its own"
    ),
    identity("claim with spaces", {"usernameClaim": "user name"}, "usernameClaim", "eduperson_id"),
    # notebooks
    catalogue(
        "entry without image", {"entries": [{"name": "a"}]}, "entries[0].image", "add it", "Required value"
    ),
    catalogue("image with spaces", entry(image="a b"), "entries[0].image", "REGISTRY/REPOSITORY:TAG"),
    catalogue("image by URL", entry(image="https://quay.io/a"), "entries[0].image", "REGISTRY/REPOSITORY:TAG"),
    catalogue("entry in upper case", entry(name="Base"), "entries[0].name", "lower-case"),
    catalogue(
        "entries of one name", {"entries": [ONE, ONE]}, "entries[1]", "different name", "Duplicate value"
    ),
    catalogue("entries as a string", {"entries": "base"}, "entries", "kubectl explain", "array"),
    catalogue(
        "documentation by http", entry(documentation="http://a.org"), "entries[0].documentation", "https://"
    ),
    catalogue("icon with a quote", entry(icon='https://a.org/"x'), "entries[0].icon", "https://HOST/PATH"),
    catalogue("start without a slash", entry(defaultUrl="lab"), "entries[0].defaultUrl", "a slash"),
    catalogue(
        "all on every node",
        {"entries": [{"name": f"e{n}", "image": "example.org/a:1", "prePull": True} for n in range(21)]},
        "entries",
        "more than 20 images",
    ),
    catalogue("GPU of no domain", entry(gpus={"resource": "gpu"}), "entries[0].gpus.resource", "DOMAIN/NAME"),
    catalogue(
        "active until", entry(lifecycle={"until": "2030-01-01"}), "entries[0].lifecycle.stage", "Deprecated"
    ),
    catalogue(
        "until some day",
        entry(lifecycle={"stage": "Deprecated", "until": "soon"}),
        "entries[0].lifecycle.until",
        "YYYY-MM-DD",
    ),
    notebooks("pod template", {"podTemplate": {}}, "podTemplate", "remove it", "unknown field"),
    notebooks("no sessions", {"maxSessions": 0}, "maxSessions", "minimum 1", "greater than or equal to 1"),
    notebooks("sessions as a string", {"maxSessions": "50"}, "maxSessions", "without quotes", "integer"),
    notebooks("sessions in halves", {"maxSessions": 1.5}, "maxSessions", "explain", "integer"),
    notebooks("culled at once", {"culling": {"idleSeconds": 5}}, "culling.idleSeconds", "minimum 120", "120"),
    notebooks(
        "more CPU promised than there is",
        {"resources": {"cpuGuarantee": 4}},
        "resources.cpuGuarantee",
        "raise cpuLimit",
    ),
    notebooks(
        "more memory promised than there is",
        {"resources": {"memoryGuarantee": "4Gi"}},
        "resources.memoryGuarantee",
        "raise memoryLimit",
    ),
    notebooks(
        "the same in other units",
        {"resources": {"memoryGuarantee": "2.2G", "memoryLimit": "2048Mi"}},
        "resources.memoryGuarantee",
        "lower memoryGuarantee",
    ),
    notebooks(
        "memory in no unit there is",
        {"resources": {"memoryLimit": "2GB"}},
        "resources.memoryLimit",
        "512Mi or 10Gi",
    ),
    notebooks(
        "memory in bytes",
        {"resources": {"memoryLimit": "8", "memoryGuarantee": "1"}},
        "resources.memoryLimit",
        "mind the unit",
    ),
    notebooks(
        "memory as a number", {"resources": {"memoryLimit": 2}}, "resources.memoryLimit", "in quotes", "string"
    ),
    bad("home of nothing", {"storage": {"homes": {"size": "0Gi"}}}, "storage.homes.size", "64Mi or more"),
    bad("home of minus", {"storage": {"homes": {"size": "-1Gi"}}}, "storage.homes.size", "with a unit"),
    bad(
        "homes in two places",
        {"storage": {"homes": {"volume": {}, "claim": {"name": "nfs"}}}},
        "storage.homes.claim",
        "keep the one",
    ),
    notebooks("named sessions without a common home", {"namedSessions": 1}, "namedSessions", "set it to 0"),
    # the landing page
    bad("logo by http", {"page": {"logo": "http://example.org/l.png"}}, "page.logo", "give https://"),
    bad("logo a program", {"page": {"logo": "javascript:alert(1)"}}, "page.logo", "give https://"),
    bad("logo with quote", {"page": {"logo": "https://example.org/'\"><b>"}}, "page.logo", "give https://"),
    bad(
        "link without words",
        {"page": {"links": [{"url": "https://example.org"}]}},
        "page.links[0].title",
        "add it",
        "Required",
    ),
    bad(
        "link a program",
        {"page": {"links": [{"title": "a", "url": "javascript:alert(1)"}]}},
        "page.links[0].url",
        "mailto:",
    ),
    bad(
        "link to data",
        {"page": {"links": [{"title": "a", "url": "data:text/html,<b>"}]}},
        "page.links[0].url",
        "mailto:",
    ),
    bad("message of a page's length", {"page": {"message": "m" * 301}}, "page.message", "300", "300"),
    bad(
        "small database",
        {"database": {"embedded": {"size": "10Mi"}}},
        "database.embedded.size",
        "256Mi or more",
    ),
    bad(
        "external without secret",
        {"database": {"external": {}}},
        "database.external.secret",
        "add it",
        "Required",
    ),
    bad("two certificates", {"exposure": {"tls": TLS}}, "exposure.tls.certManager", "not both"),
    bad(
        "a class beside a gateway",
        {"exposure": {"ingressClass": "nginx", "gateway": GATEWAY}},
        "exposure.ingressClass",
        "not both",
    ),
    *(
        bad(
            f"a certificate beside a gateway, {name}",
            {"exposure": {"tls": {name: TLS[name]}, "gateway": GATEWAY}},
            "exposure.tls",
            "whose listener has the certificate",
        )
        for name in TLS
    ),
    bad(
        "gateway nowhere",
        {"exposure": {"gateway": {"name": "a"}}},
        "exposure.gateway.namespace",
        "add it",
        "Required",
    ),
    bad(
        "gateway with its namespace",
        {"exposure": {"gateway": GATEWAY | {"namespace": "infra/public"}}},
        "exposure.gateway.namespace",
        "inner hyphens",
    ),
    bad(
        "unknown issuer kind",
        {"exposure": {"tls": {"certManager": {"issuer": "a", "kind": "issuer"}}}},
        "exposure.tls.certManager.kind",
        "ClusterIssuer",
        "ClusterIssuer",
    ),
    # the rest
    bad("unknown field", {"colour": "blue"}, "colour", "the fields here are hostname", "unknown field"),
    bad(
        "slip of the pen",
        {"datalake": {"enabled": True}},
        "datalake",
        "did you mean dataLake?",
        "unknown field",
    ),
    bad("snake case", {"data_lake": {"enabled": True}}, "data_lake", "did you mean dataLake?", "unknown field"),
    bad("unknown policy", {"deletionPolicy": "Keep"}, "deletionPolicy", "Retain", "Retain"),
    Bad("no spec", {"spec": ...}, "spec", "add it", "Required value"),
    Bad("spec a list", {"spec": []}, "spec", "kubectl explain", "object"),
    Bad("long name", {"metadata": {"name": "a" * 41}}, "metadata.name", "at most 40"),
    Bad("name with dots", {"metadata": {"name": "a.b"}}, "metadata.name", "inner hyphens"),
)

# Only here: the API server sees no namespace in its rules, and asks another group for another version.
BAD_OFFLINE: tuple[Bad, ...] = (
    Bad("long namespace", {"metadata": {"namespace": "a" * 51}}, "metadata.namespace", "a shorter name"),
    Bad("other version", {"apiVersion": "vre.science/v1"}, "apiVersion", "vre.science/v1alpha1"),
    Bad("other kind", {"kind": "VREEnviroment"}, "kind", "VREEnvironment"),
)
