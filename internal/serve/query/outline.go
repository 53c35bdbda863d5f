package query

import (
	"context"
	"iter"
	"strings"
	"time"

	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// Outline says what a statement is and how it would be run, without running it.
type Outline struct {
	// Kind is select, view, sink, or change for any other statement that changes something; Name is what it makes.
	Kind, Name string
	// Emit says when a view's results appear: changes or window close.
	Emit    string
	Columns []Column
	// Operators are the steps of the query; the last one gives its result. Empty where there is no query.
	Operators []Operator
	query     *plan.Query
}

// Operator is one step of a query.
type Operator struct {
	// Inputs are the numbers of the operators that it reads.
	Inputs []int
	// Kind is the operator's name, Detail what it does in the words of EXPLAIN.
	Kind, Detail string
	// Relation is what a scan reads, and Source what kind of thing that is: stream, table or view.
	Relation, Source string
	Columns          []Column
}

// Outline binds a statement. Its errors have the position and hint that running it would give.
func (e *Engine) Outline(s *Session, text string) (*Outline, error) {
	stmt, err := sql.ParseOne(text)
	if err != nil {
		return nil, convert(err)
	}
	snap := e.cfg.Views.Snapshot()
	out, err := e.outline(s, stmt, text, names{snap})
	if err != nil {
		return nil, convert(err)
	}
	if out.query != nil {
		out.Columns = columnsOf(out.query, snap)
		out.walk(out.query.Root)
	}
	return out, nil
}

func (e *Engine) outline(s *Session, stmt sql.Statement, text string, cat plan.Catalog) (*Outline, error) {
	switch x := stmt.(type) {
	case *sql.Explain:
		return e.outline(s, x.Stmt, text, cat)
	case *sql.SelectStmt:
		q, err := plan.Bind(x.Query, text, cat, e.options(s, nil))
		return &Outline{Kind: "select", query: q}, err
	case *sql.CreateView:
		q, _, err := plan.BindView(x, text, cat)
		if err == nil && e.cfg.Continuous != nil {
			if err := e.cfg.Continuous(q); err != nil {
				return nil, sql.At(text, int(x.Query.At0), sql.CodeNotSupported, "%v", err)
			}
		}
		out := &Outline{Kind: "view", Name: x.Name.Name, Emit: "changes", query: q}
		if q != nil && q.Emit == plan.EmitOnWindowClose {
			out.Emit = "window close"
		}
		return out, err
	case *sql.CreateSink:
		q, err := plan.BindSink(x, text, cat, true)
		return &Outline{Kind: "sink", Name: x.Name.Name, query: q}, err
	}
	return &Outline{Kind: "change"}, nil
}

// walk lists the operators below n and n itself, inputs first, and returns n's number.
func (o *Outline) walk(n plan.Node) int {
	op := Operator{Inputs: []int{}}
	for _, in := range n.Inputs() {
		op.Inputs = append(op.Inputs, o.walk(in))
	}
	op.Kind, op.Detail, _ = strings.Cut(plan.Describe(n), " ")
	if scan, ok := n.(*plan.Scan); ok {
		op.Relation, op.Source = scan.Relation.Name, strings.ToLower(op.Kind)
		op.Kind = "Scan"
	}
	for _, c := range n.Schema() {
		op.Columns = append(op.Columns, Column{Name: c.Name, Type: c.Type})
	}
	o.Operators = append(o.Operators, op)
	return len(o.Operators) - 1
}

// Since reads streams from a time on (Config.Streams may have it).
type Since interface {
	Since(ctx context.Context, scan *plan.Scan, from time.Time) iter.Seq2[*vec.Batch, error]
}

// Preview runs the query of a SELECT or of a view to be made over what streams had since a time, and over tables and views as
// they are now.
func (e *Engine) Preview(ctx context.Context, s *Session, text string, from time.Time) (*Outline, Rows, error) {
	out, err := e.Outline(s, text)
	if err != nil {
		return nil, nil, err
	}
	if out.query == nil || out.Kind != "select" && out.Kind != "view" {
		return nil, nil, &Error{Code: CodeFeatureNotSupported, Message: "only a SELECT or a view can be previewed", Hint: "Write SELECT … or CREATE MATERIALIZED VIEW … AS SELECT …"}
	}
	if len(out.query.Params) > 0 {
		return nil, nil, &Error{Code: CodeUndefinedParameter, Message: "a preview has no values for parameters", Hint: "Write the values themselves instead of $1."}
	}
	streams := e.recent
	if since, ok := e.cfg.Streams.(Since); ok {
		streams = func(ctx context.Context, scan *plan.Scan) iter.Seq2[*vec.Batch, error] {
			return since.Since(ctx, scan, from)
		}
	}
	rows, err := e.runOver(ctx, s, out.query, e.cfg.Views.Snapshot(), nil, streams)
	return out, rows, err
}
