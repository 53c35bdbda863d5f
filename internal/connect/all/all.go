// Package all is the one list of connectors.
package all

import (
	"myelin/internal/connect"
	"myelin/internal/connect/webhook"
)

// Connectors are all connectors, by name.
func Connectors() map[string]connect.Connector {
	out := map[string]connect.Connector{}
	for _, c := range []connect.Connector{
		webhook.Connector{},
	} {
		out[c.Spec().Name] = c
	}
	return out
}
