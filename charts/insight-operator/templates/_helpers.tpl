{{/* The name of everything this release makes. */}}
{{- define "insight-operator.name" -}}
{{- if contains "insight-operator" .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-insight-operator" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "insight-operator.selectorLabels" -}}
app.kubernetes.io/name: insight-operator
app.kubernetes.io/instance: {{ include "insight-operator.name" . }}
{{- end -}}

{{- define "insight-operator.labels" -}}
{{ include "insight-operator.selectorLabels" . }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: insight-engine
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* repository:tag@digest of an image; call with (list $image $defaultTag). */}}
{{- define "insight-operator.image" -}}
{{- $image := index . 0 -}}
{{- printf "%s:%s" $image.repository (default (index . 1) $image.tag) -}}
{{- with $image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* Not empty when all namespaces are watched. */}}
{{- define "insight-operator.everywhere" -}}
{{- if has "*" .Values.watchNamespaces }}true{{ end -}}
{{- end -}}

{{- define "insight-operator.namespaces" -}}
{{- join "," (default (list .Release.Namespace) .Values.watchNamespaces) -}}
{{- end -}}
