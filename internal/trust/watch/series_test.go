package watch

import (
	"encoding/json"
	"testing"
)

// A series that has no closed hour yet outlasts a restart: it goes on learning.
func TestYoungSeriesOutlastsRestart(t *testing.T) {
	text, err := json.Marshal(&history{})
	if err != nil {
		t.Fatal(err)
	}
	var h history
	if err := json.Unmarshal(text, &h); err != nil {
		t.Fatal(err)
	}
	const hour = 498715
	if got := h.rate(hour * hourSeconds); got != 0 {
		t.Errorf("the rate is %v before anything is known", got)
	}
	h.close(hour, 3600, false)
	if got := h.rate((hour + 1) * hourSeconds); got != 1 {
		t.Errorf("the rate is %v after an hour of 3,600 events, want 1", got)
	}
}
