package api

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestCompatibilityPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/kafka-compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \| (\w+) \| (\d+)–(\d+) \|`).FindAllSubmatch(page, -1) {
		listed[fmt.Sprintf("%s %s %s–%s", m[1], m[2], m[3], m[4])] = true
	}
	last := int16(-1)
	for _, e := range table() {
		row := fmt.Sprintf("%d %s %d–%d", e.key, kmsg.NameForKey(e.key), e.min, e.max)
		if !listed[row] {
			t.Errorf("docs/kafka-compatibility.md does not list %s", row)
		}
		delete(listed, row)
		if e.key <= last {
			t.Errorf("key %d is out of order", e.key)
		}
		last = e.key
		if top := kmsg.RequestForKey(e.key).MaxVersion(); e.max > top {
			t.Errorf("%s: version %d cannot be decoded; the last is %d", row, e.max, top)
		}
	}
	for row := range listed {
		t.Errorf("docs/kafka-compatibility.md lists %s, which is not served", row)
	}
}
