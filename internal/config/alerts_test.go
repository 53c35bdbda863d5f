package config_test

import (
	"strings"
	"testing"

	"myelin/internal/config"
)

const alertsText = `
sources: [{name: shop-web, write_keys: [wk]}]
alerts:
  url: https://myelin.shop.example
  timezone: Europe/Berlin
  digest: "08:00"
  webhooks: [{name: ops, url: "https://ops.example/in", secret: whsec_c2VjcmV0, severity: critical}]
  slack: [{name: marketing, url: "https://hooks.example/x", sources: [shop-web], digest: false}]
  email:
    - {name: team, server: "smtp.example:587", user: u, password: p, from: Myelin <m@shop.example>, to: [ana@shop.example]}
watch:
  - {view: revenue_per_minute, column: revenue, aggregate: sum, time: window_start, every: 10m}
`

func TestAlertsAreRead(t *testing.T) {
	cfg, err := config.Parse("myelin.yaml", []byte(alertsText), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	a := cfg.Alerts
	if a.Webhooks[0].Severity != "critical" || a.Slack[0].Sources[0] != "shop-web" || *a.Slack[0].Digest || a.Email[0].To[0] != "ana@shop.example" ||
		cfg.Watch[0].Every.Std().Minutes() != 10 {
		t.Errorf("read %+v, %+v", a, cfg.Watch)
	}
}

func TestMistakesInAlertsAreExplained(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"severity: critical", "severity: critcal", `severity cannot be "critcal" (did you mean "critical"?)`},
		{"severity: critical", "sevrity: critical", `did you mean "severity"?`},
		{"digest: \"08:00\"", "digest: \"8am\"", "is not a time of day"},
		{"Europe/Berlin", "Europe/Berln", "there is no time zone"},
		{"sources: [shop-web], digest", "sources: [shop-wb], digest", `did you mean "shop-web"?`},
		{"smtp.example:587", "smtp.example", "write host:port"},
		{"user: u,", "user: u, tls: none,", "a mail password would be sent unencrypted"},
		{"to: [ana@shop.example]", "to: []", "is for nobody"},
		{"name: marketing", "name: ops", `two channels of alerts are called "ops"`},
		{"aggregate: sum", "aggregate: median", `aggregate cannot be "median"`},
		{"view: revenue_per_minute, ", "", "needs a view and a column"},
	} {
		text := strings.Replace(alertsText, c.old, c.new, 1)
		if text == alertsText {
			t.Fatalf("%q is not in the text", c.old)
		}
		_, err := config.Parse("myelin.yaml", []byte(text), func(string) string { return "" })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.new, err, c.want)
		}
	}
}
