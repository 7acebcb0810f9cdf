{{/* Rules of roles, shared between the ClusterRole and, with watchNamespaces, the Roles in its place. */}}

{{/* The wish, and what we tell about it. Never its spec: patch is for the finalizer. */}}
{{- define "vre-operator.rules.wish" -}}
- apiGroups: [vre.science]
  resources: [vreenvironments]
  verbs: [list, watch, patch]
- apiGroups: [vre.science]
  resources: [vreenvironments/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end -}}

{{- define "vre-operator.rules.tenant" -}}
{{- $owned := list "get" "list" "watch" "create" "patch" "delete" -}}
# What a tenant consists of.
- apiGroups: [""]
  resources:
    - configmaps
    - limitranges
    - persistentvolumeclaims
    - resourcequotas
    - secrets
    - serviceaccounts
    - services
  verbs: {{ $owned | toJson }}
- apiGroups: [apps]
  resources: [daemonsets, deployments, statefulsets]
  verbs: {{ $owned | toJson }}
- apiGroups: [batch]
  resources: [cronjobs, jobs]
  verbs: {{ $owned | toJson }}
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: {{ $owned | toJson }}
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: {{ $owned | toJson }}
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: {{ $owned | toJson }}

# Why a pod does not run, and the end of people's sessions on suspension and deletion.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, delete]

# What the hub may do in its tenant's notebooks namespace: nobody can grant a right without holding it.
- apiGroups: [""]
  resources: [pods, persistentvolumeclaims]
  verbs: [create]
- apiGroups: [""]
  resources: [events]
  verbs: [list, watch]

# What REANA may do in its tenant's namespace of workflows, as far as it is not held anyway.
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
- apiGroups: [""]
  resources: [secrets]
  verbs: [update]
{{- end -}}

{{/* What lives in no namespace. Namespaces are made as tenants come, so the rights of a ClusterRole hold in all. */}}
{{- define "vre-operator.rules.cluster" -}}
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [vre.science]
  resources: [vresites]
  verbs: [list, watch]
# What a spec may name and the site must have.
- apiGroups: [networking.k8s.io]
  resources: [ingressclasses]
  verbs: [list, watch]
- apiGroups: [gateway.networking.k8s.io]
  resources: [gateways]
  verbs: [list, watch]
- apiGroups: [storage.k8s.io]
  resources: [storageclasses]
  verbs: [list, watch]
{{- end -}}

{{/* For who is given a tenant. Not to read Secrets: the operator's lie beside theirs. */}}
{{- define "vre-operator.rules.admin" -}}
- apiGroups: [vre.science]
  resources: [vreenvironments]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [vre.science]
  resources: [vreenvironments/status]
  verbs: [get]
- apiGroups: [""]
  resources: [secrets]
  verbs: [create, update, patch, delete]
- apiGroups: [""]
  resources: [events, pods, pods/log, persistentvolumeclaims]
  verbs: [get, list, watch]
{{- end -}}

{{- define "vre-operator.subject" -}}
- kind: ServiceAccount
  name: {{ include "vre-operator.serviceAccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{/* What cannot work, said before anything is installed. */}}
{{- define "vre-operator.check" -}}
{{- $watched := .Values.watchNamespaces -}}
{{- if and .Values.site.vresite (not $watched) -}}
{{- fail "site.vresite: is read with watchNamespaces alone: apply a VRESite instead" -}}
{{- end -}}
{{- range $name := $watched -}}
{{- range $space := list $name (printf "%s-notebooks" $name) (printf "%s-workflows" $name) -}}
{{- if eq $space $.Release.Namespace -}}
{{- fail (printf "watchNamespaces: %s is the operator's own namespace: a tenant's admins would hold its Secrets. Install the operator beside its tenants" $space) -}}
{{- end -}}
{{- if and (ne $space $name) (has $space $watched) -}}
{{- fail (printf "watchNamespaces: %s belongs to %s: list the tenants' own namespaces alone" $space $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $watched -}}
{{- $cluster := dict "crds.install" .Values.crds.install "bounds.enforce" .Values.bounds.enforce "workflowJobs.enforce" .Values.workflowJobs.enforce "rbac.aggregate" (and .Values.rbac.create .Values.rbac.aggregate) -}}
{{- $asked := list -}}
{{- range $value, $on := $cluster }}{{ if $on }}{{ $asked = append $asked $value }}{{ end }}{{ end -}}
{{- if $asked -}}
{{- fail (printf "watchNamespaces: a release without cluster rights holds nothing of the cluster's: set %s to false, and have the cluster's admin apply it (docs/site.md, Without cluster rights)" (join ", " $asked)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
