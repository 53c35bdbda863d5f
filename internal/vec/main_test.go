package vec

import (
	"flag"
	"os"
	"testing"
)

// TestMain fixes the seed of the random tests, unless in soak; -rapid.seed still overrides it.
func TestMain(m *testing.M) {
	if os.Getenv("MYELIN_SOAK_SEEDS") == "" {
		if err := flag.Set("rapid.seed", "1"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
