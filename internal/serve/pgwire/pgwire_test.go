package pgwire_test

import (
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"myelin/internal/lint/leak"
	"myelin/internal/serve/pgwire"
	"myelin/internal/serve/query"
	"myelin/internal/vec"
)

func TestMain(m *testing.M) { leak.Main(m) }

// fake is an engine that knows a few statements by heart.
type fake struct{}

func (fake) Prepare(_ context.Context, _ *query.Session, sql string, hints []vec.Type) (*query.Statement, error) {
	full := sql
	sql = strings.TrimSpace(sql)
	arg, _ := strconv.Atoi(sql[strings.LastIndexByte(sql, ' ')+1:])
	switch {
	case strings.HasPrefix(sql, "SELECT rows "):
		return &query.Statement{Columns: []query.Column{{Name: "n", Type: vec.Of(vec.Int64)}, {Name: "t", Type: vec.Of(vec.Text)}}, Tag: "SELECT",
			Run: func(context.Context, []*vec.Vector) (query.Rows, error) { return &counting{n: arg}, nil }}, nil
	case sql == "SELECT kinds":
		b := kinds()
		cols := make([]query.Column, len(b.Cols))
		for i, c := range b.Cols {
			cols[i] = query.Column{Name: c.Type.String(), Type: c.Type}
		}
		return &query.Statement{Columns: cols, Tag: "SELECT",
			Run: func(context.Context, []*vec.Vector) (query.Rows, error) { return query.Static(b), nil }}, nil
	case strings.HasPrefix(sql, "SELECT echo"):
		t := vec.Of(vec.Text)
		if len(hints) > 0 && hints[0].Kind != vec.Unknown {
			t = hints[0]
		}
		if _, name, ok := strings.Cut(sql, "::"); ok {
			for k := vec.Bool; k <= vec.JSONB; k++ {
				if k.String() == name {
					t = vec.Of(k)
				}
			}
			if name == "int[]" {
				t = vec.ArrayOf(vec.Int32)
			}
			if name == "text[]" {
				t = vec.ArrayOf(vec.Text)
			}
		}
		return &query.Statement{Columns: []query.Column{{Name: "echo", Type: t}}, Params: []vec.Type{t}, Tag: "SELECT",
			Run: func(_ context.Context, args []*vec.Vector) (query.Rows, error) {
				return query.Static(&vec.Batch{Cols: args, N: 1}), nil
			}}, nil
	case sql == "SELECT for ever":
		return &query.Statement{Columns: []query.Column{{Name: "n", Type: vec.Of(vec.Int64)}}, Tag: "SELECT",
			Run: func(ctx context.Context, _ []*vec.Vector) (query.Rows, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}}, nil
	case sql == "SELECT panic":
		panic("as asked")
	}
	return nil, &query.Error{Code: query.CodeSyntax, Message: "syntax error", Hint: "Ask the fake.", Position: strings.Index(full, "!") + 1}
}

// counting yields n rows in batches of 100; every third t is NULL.
type counting struct{ at, n int }

func (c *counting) Next(ctx context.Context) (*vec.Batch, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if c.at == c.n {
		return nil, io.EOF
	}
	b := &vec.Batch{Cols: []*vec.Vector{vec.New(vec.Of(vec.Int64), 0), vec.New(vec.Of(vec.Text), 0)}}
	for ; c.at < c.n && b.N < 100; b.N++ {
		b.Cols[0].AppendInt(int64(c.at))
		if c.at%3 == 0 {
			b.Cols[1].AppendNull()
		} else {
			b.Cols[1].AppendString("row " + strconv.Itoa(c.at))
		}
		c.at++
	}
	return b, nil
}

func (c *counting) Close() {}

func kinds() *vec.Batch {
	array := vec.New(vec.ArrayOf(vec.Int32), 0)
	array.Elem = vec.New(vec.Of(vec.Int32), 0)
	array.Elem.AppendInt(1)
	array.Elem.AppendNull()
	array.CloseArray(0)
	d, _ := vec.ParseDecimal([]byte("-1234.5600"))
	return &vec.Batch{N: 1, Cols: []*vec.Vector{
		vec.BoolOf(true), vec.IntOf(vec.Int32, -5), vec.IntOf(vec.Int64, 1<<60), vec.FloatOf(0.1), vec.DecimalOf(d),
		vec.TextOf("grüß"), vec.StringOf(vec.Bytea, "\x00\xff"), vec.IntOf(vec.Date, 20000), vec.IntOf(vec.Time, 45296000001),
		vec.IntOf(vec.Timestamp, 1700000000123456), vec.IntOf(vec.Timestamptz, 1700000000000000),
		vec.IntervalOf(vec.IntervalValue{Months: 14, Days: -3, Micros: 4_500_000}),
		vec.StringOf(vec.UUID, "0123456789abcdef"), vec.StringOf(vec.JSONB, `{"a": 1}`), array,
	}}
}

// start runs a server and returns a connection string for it.
func start(t *testing.T, cfg pgwire.Config) string {
	t.Helper()
	cfg.Engine = fake{}
	srv, err := pgwire.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Error("server did not stop")
		}
	})
	return "postgres://myelin@" + ln.Addr().String() + "/myelin?sslmode=disable"
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func limit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
