package exec

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestADamagedLocalCopyComesBackFromTheChangelog damages the local copy in all sorts of places: the views must answer as before.
func TestADamagedLocalCopyComesBackFromTheChangelog(t *testing.T) {
	w := newWorld(t, 1)
	w.mustDeclare(numbersDDL + `CREATE MATERIALIZED VIEW per_key AS SELECT k, count(*) AS c, min(n) AS least, count(DISTINCT n) AS d FROM numbers GROUP BY k;`)
	w.start()
	rnd := rand.New(rand.NewPCG(3, 4))
	n := 0
	for round := range 8 {
		var recs []string
		for range 3000 {
			recs = append(recs, number(n, fmt.Sprint("key-", rnd.IntN(2000)), n/100))
			n++
		}
		w.send("numbers", recs...)
		w.settle()
		if err := w.engine.Flush(w.ctx); err != nil {
			t.Fatal(err)
		}
		want := w.rows("per_key")
		w.stop()
		files, err := w.fs.List("state")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, ".sst") || round%3 == 2 && rnd.IntN(3) == 0 {
				damage(t, w.fs, "state/"+name, rnd)
			}
		}
		w.start()
		w.settle()
		if got := w.rows("per_key"); got != want {
			t.Fatalf("round %d: the view differs after its local copy was damaged", round)
		}
	}
}

// damage overwrites some bytes of a file.
func damage(t *testing.T, fs vfs.FS, name string, rnd *rand.Rand) {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close() // it was read
	if len(content) == 0 {
		return
	}
	at := rnd.IntN(len(content))
	copy(content[at:], bytes.Repeat([]byte{0x5a}, 16))
	out, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = out.Write(content)
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
