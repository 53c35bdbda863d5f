// Package preset holds tracking plans that are ready to use: a shop, software for companies, video, mobile apps, and
// Google Analytics 4.
package preset

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Names lists the presets.
var Names = []string{"ecommerce", "b2b-saas", "video", "mobile", "ga4"}

// Text is a preset's plan file.
func Text(name string) ([]byte, error) {
	text, err := files.ReadFile(name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("there is no ready-made plan %q; there are %s", name, strings.Join(Names, ", "))
	}
	return text, nil
}
