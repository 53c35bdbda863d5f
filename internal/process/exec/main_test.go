package exec

import (
	"testing"

	"myelin/internal/lint/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
