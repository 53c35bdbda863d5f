package exec

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"myelin/internal/log"
	"myelin/internal/process/state"
	"myelin/internal/vec"
)

// The rows of tables that come from files travel through a compacted topic of their own, so that a step can name what it saw of
// them by offset. A record's key is the table's name, a zero byte, the fingerprint of its columns and the row's key; its value is
// the row, or null where it is gone.

// tablePart is where a group reads the tables' topic.
type tablePart struct {
	pos   int64
	chunk *log.Chunk
	cur   log.Cursor
}

// tableChange is what one record says.
type tableChange struct {
	offsets
	name  string
	print fingerprint
	key   []byte
	row   []byte // nil: gone
}

// next reads what is in hand before the offset until.
func (p *tablePart) next(until int64) ([]tableChange, offsets) {
	o := offsets{Topic: TablesTopic, From: p.pos, To: p.pos}
	if p.chunk == nil {
		return nil, o
	}
	c := p.chunk
	var out []tableChange
	var r log.RawRecord
	for {
		before := p.cur
		if !c.Next(&p.cur, &r) {
			o.To = min(c.To, until)
			if c.To <= until {
				p.chunk, p.cur = nil, log.Cursor{}
			}
			break
		}
		if r.Offset >= until {
			p.cur, o.To = before, until
			break
		}
		if ch, ok := parseTableRecord(c, &r); ok && r.Offset >= p.pos {
			out = append(out, ch)
		}
	}
	p.pos = max(p.pos, o.To)
	return out, o
}

func tableKey(name string, print fingerprint, key []byte) []byte {
	b := append([]byte(name), 0)
	b = append(b, print[:]...)
	return append(b, key...)
}

func parseTableRecord(c *log.Chunk, r *log.RawRecord) (tableChange, bool) {
	if r.Key.Off == log.NoBytes {
		return tableChange{}, false
	}
	k := c.Buf[r.Key.Off : r.Key.Off+r.Key.Len]
	at := bytes.IndexByte(k, 0)
	if at < 0 || len(k) < at+9 {
		return tableChange{}, false
	}
	ch := tableChange{name: string(k[:at]), print: fingerprint(k[at+1 : at+9]), key: k[at+9:]}
	if r.Value.Off != log.NoBytes {
		ch.row = c.Buf[r.Value.Off : r.Value.Off+r.Value.Len]
	}
	return ch, true
}

// applyTables gives the changes to the group's tables, and their net effect to those who read them.
func (g *group) applyTables(changes []tableChange, clock int64) {
	if len(changes) == 0 {
		return
	}
	for _, j := range g.jobs {
		if j.query != nil {
			continue
		}
		rows := state.NewRows(j.types)
		for i := range changes {
			if c := &changes[i]; c.name == j.name && c.print == j.print {
				j.takeTableRow(rows, c)
			}
		}
		j.end(clock, j.mark)
		if j.changed == nil {
			continue
		}
		for _, d := range j.downs {
			d.push(j.changed, clock)
		}
	}
}

// takeTableRow stages one record of the table. Bytes that cannot be read are left out: they are not ours.
func (j *job) takeTableRow(rows *state.Rows, c *tableChange) {
	rows.Reset()
	t := j.view.Table
	if c.row == nil {
		if !t.StageDelete(c.key) {
			return
		}
		j.stat().in.Add(1)
		return
	}
	if _, err := rows.Append(c.row); err != nil {
		return
	}
	t.Stage(rows.Batch())
	j.stat().in.Add(1)
}

// diffFile reads the table's file and returns the records that bring the table in line with it.
func (j *job) diffFile(path string) ([]*kgo.Record, error) {
	want, err := readCSV(path, j)
	if err != nil {
		return nil, err
	}
	var recs []*kgo.Record
	keyCols := j.view.Relation.Key
	seen := map[string]bool{}
	var kbuf, rbuf []byte
	have := tableRows(j.view.Table)
	b := want.Batch()
	for i := range b.N {
		key := make([]*vec.Vector, len(keyCols))
		for k, c := range keyCols {
			key[k] = b.Cols[c]
			if key[k].IsNull(i) {
				return nil, fmt.Errorf("row %d: the key column %s is empty", i+1, j.names[c])
			}
		}
		kbuf = state.AppendKey(kbuf[:0], key, i)
		rbuf = state.AppendRow(rbuf[:0], b.Cols, i)
		if seen[string(kbuf)] {
			return nil, fmt.Errorf("row %d: its key appears twice", i+1)
		}
		seen[string(kbuf)] = true
		if old, ok := have[string(kbuf)]; ok && old == string(rbuf) {
			continue
		}
		recs = append(recs, &kgo.Record{Topic: TablesTopic, Key: tableKey(j.name, j.print, kbuf), Value: slices.Clone(rbuf)})
	}
	for k := range have {
		if !seen[k] {
			recs = append(recs, &kgo.Record{Topic: TablesTopic, Key: tableKey(j.name, j.print, []byte(k))})
		}
	}
	return recs, nil
}

// tableSender sends what files change. Where other processes may take the task over it does so in transactions: one that was replaced, and
// does not know, sends nothing more once its successor has begun.
type tableSender struct {
	txn    txn
	begun  bool
	behind int64 // offset in TablesTopic behind all that predecessors sent
}

// rowsAtOnce is how many rows go into one transaction.
const rowsAtOnce = 10_000

// ownTables makes sure that no predecessor sends rows any more, and reports whether all that they sent was read: what a file changes is
// found by comparing.
func (t *task) ownTables(ctx context.Context) (ready bool, err error) {
	at, s := t.main().tables, &t.rows
	if !t.cfg.Shared || at == nil {
		return true, nil
	}
	if !s.begun {
		if err = s.txn.begin(ctx); err == nil {
			s.behind, err = t.endOf(ctx, TablesTopic)
		}
		s.begun = err == nil
	}
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case errors.Is(err, ErrFenced):
		return false, err
	case err != nil:
		t.cfg.Log.Warn("files of tables cannot be loaded yet; trying again", "error", err)
	}
	return err == nil && at.pos >= s.behind, nil
}

// sendRows appends records to the topic of tables, and sets their offsets.
func (t *task) sendRows(ctx context.Context, recs []*kgo.Record) error {
	if !t.cfg.Shared {
		return t.steps.ProduceSync(ctx, recs...).FirstErr()
	}
	for some := range slices.Chunk(recs, rowsAtOnce) {
		if err := t.rows.txn.commit(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

// tableRows are the rows of a table by key.
func tableRows(t *state.Table) map[string]string {
	out := map[string]string{}
	v := t.Version()
	for b := range v.Scan(0) {
		key := make([]*vec.Vector, len(t.Key()))
		for k, c := range t.Key() {
			key[k] = b.Cols[c]
		}
		for i := range b.N {
			out[string(state.AppendKey(nil, key, i))] = string(state.AppendRow(nil, b.Cols, i))
		}
	}
	return out
}

// readCSV reads a file whose first line names the columns. Columns of the table that it does not have are NULL, as are empty
// fields of types other than text.
func readCSV(path string, j *job) (*state.Rows, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the table's file: %w", err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.ReuseRecord = true
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("reading the first line, which names the columns: %w", err)
	}
	at := make([]int, len(j.names))
	for i := range at {
		at[i] = slices.IndexFunc(head, func(h string) bool {
			return strings.EqualFold(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")), j.names[i])
		})
	}
	rows := state.NewRows(j.types)
	for line := 2; ; line++ {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the table's file: %w", err)
		}
		cols := rows.Open(1)
		var bad error
		for i, v := range cols {
			text := ""
			if at[i] >= 0 && at[i] < len(fields) {
				text = fields[at[i]]
			}
			if at[i] < 0 || text == "" && v.Type.Kind != vec.Text {
				v.AppendNull()
				continue
			}
			if err := vec.ParseText(v, []byte(text)); err != nil {
				v.AppendNull()
				bad = errors.Join(bad, fmt.Errorf("line %d, column %s: %w", line, j.names[i], err))
			}
		}
		if bad != nil {
			return nil, bad
		}
	}
}
