package sweep

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"stochdepth/toolkit/internal/files"
)

// KubernetesOptions say what a pod gets. Quantities are Kubernetes' own: "4", "8Gi".
type KubernetesOptions struct {
	Image     string // of the Containerfile
	Claim     string // the persistent volume claim that the pods share
	Namespace string // "" for kubectl's
	CPUs      string
	Memory    string
	GPUs      int
	AtOnce    int // pods
}

// Containerfile builds the image of the pods, from the project's folder.
//
//go:embed Containerfile
var Containerfile string

//go:embed kubernetes.yaml
var manifest string

var manifestTemplate = template.Must(template.New("kubernetes").
	Funcs(template.FuncMap{"yaml": asYAML, "indent": indent}).Parse(manifest))

// Kubernetes writes the manifest of an Indexed Job with a pod for each job of the sweep, and of a ConfigMap with the
// sweep file. Pods of finished runs end at once.
func (s *Sweep) Kubernetes(o KubernetesOptions) (string, error) {
	if err := o.check(); err != nil {
		return "", err
	}
	content, err := s.selfContained()
	if err != nil {
		return "", err
	}
	var text strings.Builder
	err = manifestTemplate.Execute(&text, map[string]any{"Sweep": s, "Name": kubernetesName(s.Folder), "File": content,
		"Jobs": len(s.Jobs), "AtOnce": max(1, min(o.AtOnce, len(s.Jobs))), "Options": o})
	return text.String(), err
}

// selfContained returns the sweep file with its recipe in it, if that is in a file of its own.
func (s *Sweep) selfContained() (string, error) {
	data, err := files.ReadText(s.Path, files.LargestText)
	if err != nil {
		return "", err
	}
	var keys map[string]json.RawMessage
	var recipe string
	if err := json.Unmarshal(data, &keys); err != nil {
		return "", err
	}
	if json.Unmarshal(keys["recipe"], &recipe) == nil && isPath(recipe) {
		if !filepath.IsAbs(recipe) {
			recipe = filepath.Join(filepath.Dir(s.Path), recipe)
		}
		if keys["recipe"], err = files.ReadText(recipe, files.LargestText); err != nil {
			return "", fmt.Errorf("cannot read the sweep's recipe: %w", err)
		}
	}
	if keys["name"], err = json.Marshal(s.Folder); err != nil {
		return "", err
	}
	data, err = json.MarshalIndent(keys, "", "  ")
	return string(data), err
}

var notInKubernetesNames = regexp.MustCompile(`[^a-z0-9]+`)

// kubernetesName makes a name of at most 52 lower-case letters, digits and dashes: with the index at their end, the pods'
// names must fit into 63 characters. If this changes the sweep's name, a hash of the name follows, so that a.b and a-b
// are two jobs.
func kubernetesName(name string) string {
	const prefix, longest = "stochdepth-", 52
	plain := strings.Trim(notInKubernetesNames.ReplaceAllString(prefix+strings.ToLower(name), "-"), "-")
	if plain == prefix+name && len(plain) <= longest {
		return plain
	}
	number := shortHash(name)
	return strings.TrimRight(plain[:min(len(plain), longest-1-len(number))], "-") + "-" + number
}

// asYAML writes a text as YAML: JSON's form of it is YAML too.
func asYAML(text string) (string, error) {
	data, err := json.Marshal(text)
	return string(data), err
}

func indent(spaces int, text string) string {
	return strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", spaces))
}
