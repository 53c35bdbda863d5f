package telemetry

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestMetricsAreServedInPrometheusText(t *testing.T) {
	r := New()
	c := r.Counter("myelin_collect_events_total", "Events stored.", "source", "web")
	g := r.Gauge("myelin_trust_lag_events", "Events waiting.")
	h := r.Histogram("myelin_step_seconds", "Step time.")
	c.Add(2)
	c.Inc()
	g.Set(5)
	g.Add(-1)
	h.Observe(3 * time.Millisecond)

	rec := httptest.NewRecorder()
	r.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`myelin_collect_events_total{source="web"} 3`,
		`myelin_trust_lag_events 4`,
		`myelin_step_seconds_count 1`,
	} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("metrics lack %q:\n%s", want, rec.Body)
		}
	}
	if c.Value() != 3 || g.Value() != 4 {
		t.Errorf("values: counter %d, gauge %d; want 3, 4", c.Value(), g.Value())
	}
}
