package config

import (
	"fmt"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// Duration is a time.Duration that is written as 30d, 12h, 5s or 250ms; "forever" is 0 for retentions.
type Duration time.Duration

// Days is n days of 24 hours.
func Days(n int) Duration { return Duration(n) * Duration(24*time.Hour) }

// Seconds is n seconds.
func Seconds(n int) Duration { return Duration(n) * Duration(time.Second) }

// Std is d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// UnmarshalYAML reads the written form.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := ParseDuration(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	*d = v
	return nil
}

// ParseDuration reads 30d, 2w and what time.ParseDuration knows.
func ParseDuration(s string) (Duration, error) {
	if s == "forever" {
		return 0, nil
	}
	units := map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if n := len(s); n > 1 {
		if unit, ok := units[s[n-1]]; ok {
			if v, err := strconv.ParseFloat(s[:n-1], 64); err == nil && v >= 0 {
				return Duration(v * float64(unit)), nil
			}
		}
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return 0, fmt.Errorf("%q is not a length of time: write 30d, 12h, 5s or forever", s)
	}
	return Duration(v), nil
}
