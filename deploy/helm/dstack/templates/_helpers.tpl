{{- define "dstack.name" -}}
{{- $name := .Release.Name -}}
{{- if not (contains "dstack" $name) }}{{ $name = printf "%s-dstack" $name }}{{ end -}}
{{- trunc 50 $name | trimSuffix "-" }}
{{- end }}

{{- define "dstack.selector" -}}
app.kubernetes.io/name: dstack
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: server
{{- end }}

{{- define "dstack.labels" -}}
{{ include "dstack.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "dstack.serviceAccount" -}}
{{- if .Values.serviceAccount.name }}{{ .Values.serviceAccount.name }}
{{- else if .Values.serviceAccount.create }}{{ include "dstack.name" . }}-server
{{- else }}default{{ end }}
{{- end }}

{{- /* Not that of the server: users choose the service accounts of their jobs' namespace for their pods. */}}
{{- define "dstack.jobsNamespace" -}}
{{- .Values.kubernetesBackend.namespace | default (printf "%s-jobs" .Release.Namespace) }}
{{- end }}

{{- define "dstack.isPostgres" -}}
{{- if eq .Values.database.type "postgresql" }}true{{ end }}
{{- end }}

{{- /* The file with the token is read again for each request, because the cluster renews it. */}}
{{- define "dstack.kubeconfig" -}}
{{- $account := "/var/run/secrets/kubernetes.io/serviceaccount" -}}
{{- $name := .Values.kubernetesBackend.name -}}
{{- $cluster := dict "server" "https://kubernetes.default.svc" "certificate-authority" (printf "%s/ca.crt" $account) -}}
{{- $context := dict "cluster" $name "user" $name "namespace" (include "dstack.jobsNamespace" .) -}}
{{- dict
    "apiVersion" "v1"
    "kind" "Config"
    "clusters" (list (dict "name" $name "cluster" $cluster))
    "users" (list (dict "name" $name "user" (dict "tokenFile" (printf "%s/token" $account))))
    "contexts" (list (dict "name" $name "context" $context))
    "current-context" $name
  | toYaml }}
{{- end }}

{{- /* config.yml: that of the values, with this cluster as a backend of the named projects. */}}
{{- define "dstack.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $projects := list -}}
{{- $named := list -}}
{{- if .Values.kubernetesBackend.enabled }}{{ $named = .Values.kubernetesBackend.projects }}{{ end -}}
{{- $kubeconfig := dict "data" (include "dstack.kubeconfig" .) -}}
{{- $backend := dict "type" "kubernetes" "kubeconfig" $kubeconfig "contexts" (list .Values.kubernetesBackend.name) -}}
{{- $seen := list -}}
{{- range $config.projects -}}
{{- $project := . -}}
{{- $seen = append $seen .name -}}
{{- if has .name $named -}}
{{- range .backends }}{{ if eq .type "kubernetes" }}
{{- fail (printf "config.projects: the project %s has a backend of type kubernetes of its own: remove it, or take the project out of kubernetesBackend.projects" $project.name) }}
{{- end }}{{ end -}}
{{- $project = set (deepCopy $project) "backends" (append (default list .backends) $backend) -}}
{{- end -}}
{{- $projects = append $projects $project -}}
{{- end -}}
{{- range $named -}}
{{- if not (has . $seen) }}{{ $projects = append $projects (dict "name" . "backends" (list $backend)) }}{{ end -}}
{{- end -}}
{{- set $config "projects" $projects | toYaml }}
{{- end }}
