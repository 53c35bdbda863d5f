package query_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestPsycopgReadsViews(t *testing.T) {
	python := filepath.Join(os.Getenv("MYELIN_CACHE"), "python", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Skip("psycopg is not installed: make setup-test")
	}
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, python, "testdata/clients.py", fmt.Sprint(w.addr.Port)).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
