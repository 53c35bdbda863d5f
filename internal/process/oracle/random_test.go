package oracle_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"myelin/internal/process/oracle"
	"myelin/internal/vec"
)

// rounds is how many queries a test makes and from which seed: few and always the same, or many others with MYELIN_SOAK.
func rounds(t *testing.T, few int) (n int, seed uint64) {
	n, seed = few, 1
	if s := os.Getenv("MYELIN_SOAK"); s != "" {
		n, _ = strconv.Atoi(s)
		seed = rand.Uint64()
	}
	if s := os.Getenv("MYELIN_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Log("seed", seed)
	return n, seed
}

// evaluation reports an error that a row causes while it is computed. Which rows an expression is computed for is left to each engine.
func evaluation(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && strings.HasPrefix(e.Code, "22")
}

// arraysOfTwo finds operators on arrays of two kinds of numbers, which PostgreSQL lacks.
var arraysOfTwo = regexp.MustCompile(`\[\] (=|<>|<|>|<=|>=|&&|@>|<@|\|\|) \w+\[\]`)

// refused are queries that PostgreSQL does not take and we do.
func refused(err error) bool {
	for _, s := range []string{"FULL JOIN is only supported", "non-integer constant in", "could not identify", "is not in select list"} {
		if err != nil && strings.Contains(err.Error(), s) {
			return true
		}
	}
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "42883" && arraysOfTwo.MatchString(e.Message)
}

// TestRandomQueriesLikePostgres compares random queries over random rows, computed at once and, where they can run for ever, as views
// over rows that come and go. MYELIN_SOAK sets how many.
func TestRandomQueriesLikePostgres(t *testing.T) {
	if pg == nil {
		t.Skip(oracle.ErrNotInstalled, "so answers are not compared with it")
	}
	n, seed := rounds(t, 1000)
	bad, errs, lenient, streamed, large := 0, 0, 0, 0, 0
	var d database
	m := oracle.NewMaker(seed)
	r := rand.New(rand.NewPCG(seed, 3))
	for i := range n {
		if i%250 == 0 {
			d = fresh(t, m)
		}
		made := m.Query()
		q := oracle.Here(made)
		want, werr := pg.Ask(oracle.There(made))
		got, gerr := d.safely(q)
		switch {
		case werr != nil && (gerr != nil || refused(werr)) && !panicked(got):
			errs++
			continue
		case werr != nil && evaluation(werr) && !panicked(got):
			lenient++
			continue
		case gerr != nil && strings.Contains(gerr.Error(), "a plan that is too large"):
			large++
			continue
		}
		if werr != nil || gerr != nil || !slices.EqualFunc(ordered(q, canonical(want)), ordered(q, canonical(got)), slices.Equal) {
			t.Errorf("%s\n  got  %s\n  want %s", q, flat(got, gerr), flat(want, werr))
			if bad++; bad > 12 {
				t.Fatal("too many differences")
			}
			continue
		}
		got, ok, err := d.stream(q, r)
		if err == nil && !ok {
			continue
		}
		streamed++
		slices.SortFunc(want, slices.Compare) // canonical by now
		slices.SortFunc(got, slices.Compare)
		if err != nil || !slices.EqualFunc(want, got, slices.Equal) {
			t.Errorf("as a view: %s\n  got  %s\n  want %s", q, flat(got, err), flat(want, nil))
			if bad++; bad > 12 {
				t.Fatal("too many differences")
			}
		}
	}
	t.Logf("%d queries, %d of them also as views; %d fail in both, %d in PostgreSQL only, for a value, and %d are too large here", n, streamed, errs, lenient, large)
}

// ordered sorts rows whose order the query does not say.
func ordered(q string, rows [][]string) [][]string {
	if i := strings.LastIndex(q, " LIMIT "); i >= 0 && !strings.Contains(q[i:], ")") {
		return rows
	}
	slices.SortFunc(rows, slices.Compare)
	return rows
}

// fresh makes the tables anew, here and there, with other rows.
func fresh(t *testing.T, m *oracle.Maker) database {
	t.Helper()
	d := database{}
	if _, err := pg.Ask("DROP TABLE IF EXISTS r; DROP TABLE IF EXISTS q"); err != nil {
		t.Fatal(err)
	}
	for _, s := range m.DDL() {
		compare(t, d, "setup", s)
	}
	for _, name := range []string{"r", "q"} {
		for _, row := range m.Rows(name, 6+m.IntN(4)) {
			compare(t, d, "setup", fmt.Sprintf("INSERT INTO %s VALUES (%s)", name, row))
		}
	}
	return d
}

// zeros are those at the end of a number in a list.
var zeros = regexp.MustCompile(`(\d\.\d*[1-9])0+\b|(?:\.0+)\b`)

// canonical writes equal numbers and equal intervals alike: of those that are written differently, DISTINCT, GROUP BY and set
// operations keep any in PostgreSQL and the shortest here.
func canonical(rows [][]string) [][]string {
	for _, row := range rows {
		for i, cell := range row {
			if strings.HasPrefix(cell, "{") || strings.HasPrefix(cell, "[") {
				row[i] = zeros.ReplaceAllString(cell, "$1")
			} else if d, err := vec.ParseDecimal([]byte(cell)); err == nil {
				d = d.Normal()
				row[i] = fmt.Sprint(d)
			} else if v, err := vec.ParseInterval([]byte(cell), ""); err == nil {
				row[i] = fmt.Sprint("interval ", v.Approx())
			}
		}
	}
	return rows
}

// safely runs a query; a panic is an answer that PostgreSQL never gives.
func (d database) safely(q string) (rows [][]string, err error) {
	defer func() {
		if r := recover(); r != nil {
			rows, err = [][]string{{fmt.Sprintf("panic: %v", r)}}, nil
		}
	}()
	return d.run(q)
}

func panicked(rows [][]string) bool {
	return len(rows) == 1 && len(rows[0]) == 1 && strings.HasPrefix(rows[0][0], "panic: ")
}
