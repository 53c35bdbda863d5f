package app

import (
	stdbytes "bytes"
	"context"
	"fmt"
	"iter"

	"myelin/internal/process/decode"
	"myelin/internal/process/exec"
	"myelin/internal/process/fn"
	"myelin/internal/process/op"
	"myelin/internal/process/plan"
	"myelin/internal/trust/replay"
	"myelin/internal/vec"
)

// repairSQL compiles the SQL of repairs: expressions over the columns of one event, with the functions of all other SQL.
type repairSQL struct{ n *node }

// alone is a catalog with one relation.
type alone struct{ relation *plan.Relation }

// Relation implements plan.Catalog.
func (a alone) Relation(schema, name string) (*plan.Relation, error) {
	if (schema == "" || schema == "public") && name == a.relation.Name {
		return a.relation, nil
	}
	return nil, nil
}

// Compile implements replay.Expressions.
func (r repairSQL) Compile(text string) (replay.Expression, error) {
	events := plan.EventStream("public", "event", quarantineTopic, nil, nil, 0, "")
	query := "SELECT to_jsonb((\n" + text + "\n)) FROM event"
	q, err := plan.BindText(query, alone{events}, plan.Options{})
	if err != nil {
		return nil, fmt.Errorf("the expression %s: %w", text, err)
	}
	if len(q.Root.Schema()) != 1 {
		return nil, fmt.Errorf("the expression %s must give one value", text)
	}
	return &repairExpr{n: r.n, text: query, catalog: alone{events}}, nil
}

type repairExpr struct {
	n       *node
	text    string
	catalog alone
}

// Eval implements replay.Expression. Events whose value cannot be computed have none: where one spoils the batch, each is
// tried by itself.
func (e *repairExpr) Eval(ctx context.Context, events [][]byte) ([][]byte, error) {
	out, err := e.eval(ctx, events)
	if err == nil || len(events) == 0 || ctx.Err() != nil {
		return out, err
	}
	out = make([][]byte, len(events))
	for i := range events {
		if one, err := e.eval(ctx, events[i:i+1]); err == nil && len(one) == 1 {
			out[i] = one[0]
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return out, nil
}

func (e *repairExpr) eval(ctx context.Context, events [][]byte) ([][]byte, error) {
	q, err := plan.BindText(e.text, e.catalog, plan.Options{})
	if err != nil {
		return nil, err
	}
	var rows op.Rows = func(_ context.Context, s *plan.Scan) iter.Seq2[*vec.Batch, error] {
		return func(yield func(*vec.Batch, error) bool) {
			var buf []byte
			var spans []vec.Span
			for _, text := range events {
				spans = append(spans, vec.Span{Off: uint32(len(buf)), Len: uint32(len(text))})
				buf = append(buf, text...)
			}
			dec := decode.New(s.Columns, nil)
			dec.Begin(buf, len(events))
			for i, at := range spans {
				dec.Add(decode.Record{Key: vec.Span{Off: decode.NoBytes}, Value: at, Offset: int64(i)})
			}
			yield(dec.Batch(), nil)
		}
	}
	var out [][]byte
	for b, err := range exec.RunBatch(ctx, q, fn.Env{Now: e.n.Clock.Now().UnixMicro()}, rows) {
		if err != nil {
			return nil, err
		}
		for i := range b.N {
			if b.Cols[0].IsNull(i) {
				out = append(out, nil)
				continue
			}
			out = append(out, stdbytes.Clone(b.Cols[0].Bytes(i)))
		}
	}
	return out, nil
}
