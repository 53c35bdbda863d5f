package catalog

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"myelin/internal/clock"
	"myelin/internal/serve/query"
)

func TestCatalog(t *testing.T) {
	c, s := New(shop(), nil, clock.Real{}), query.NewSession("ana", "myelin")
	datadriven.RunTest(t, "testdata/catalog.txt", func(t *testing.T, d *datadriven.TestData) string {
		lines, ok, err := ask(c, s, d.Input)
		var e *query.Error
		switch {
		case errors.As(err, &e):
			return fmt.Sprintf("%s at %d: %s\n", e.Code, e.Position, e.Message)
		case err != nil:
			return err.Error() + "\n"
		case !ok:
			return "not for the catalog\n"
		}
		return strings.Join(lines, "\n") + "\n"
	})
}
