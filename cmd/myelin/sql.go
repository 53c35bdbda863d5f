package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/jackc/pgx/v5/pgconn"
)

func sqlVerb(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("sql", flag.ContinueOnError)
	address := fs.String("postgres", "127.0.0.1:5433", "`address` of the PostgreSQL protocol")
	user := fs.String("user", "myelin", "user; the password is taken from PGPASSWORD")
	if err := parse(fs, args, true); err != nil {
		return err
	}
	host, port, ok := strings.Cut(*address, ":")
	if !ok {
		return &usageError{fmt.Sprintf("%q is not an address: write host:port", *address)}
	}
	cfg, err := pgconn.ParseConfig(fmt.Sprintf("host=%s port=%s user=%s dbname=myelin sslmode=prefer", host, port, *user))
	if err != nil {
		return fmt.Errorf("reading the connection settings: %w", err)
	}
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("connecting to %s: %w; is myelin running?", *address, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if fs.NArg() > 0 {
		return ask(ctx, conn, strings.Join(fs.Args(), " "), os.Stdout)
	}
	return converse(ctx, conn, os.Stdin, os.Stdout)
}

// converse runs each statement that is read, up to its semicolon at the end of a line.
func converse(ctx context.Context, conn *pgconn.PgConn, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	var text strings.Builder
	flush := func() {
		if strings.TrimSpace(text.String()) != "" {
			if err := ask(ctx, conn, text.String(), out); err != nil {
				fmt.Fprintln(os.Stderr, "myelin:", err)
			}
		}
		text.Reset()
	}
	for lines.Scan() && ctx.Err() == nil {
		text.WriteString(lines.Text() + "\n")
		if strings.HasSuffix(strings.TrimSpace(lines.Text()), ";") {
			flush()
		}
	}
	flush()
	return lines.Err()
}

// ask runs a text of statements and prints the answers as tables.
func ask(ctx context.Context, conn *pgconn.PgConn, text string, out io.Writer) error {
	results := conn.Exec(ctx, text)
	for results.NextResult() {
		r := results.ResultReader()
		w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
		fields := r.FieldDescriptions()
		for i, f := range fields {
			fmt.Fprint(w, f.Name, ending(i, len(fields)))
		}
		rows := 0
		for r.NextRow() {
			for i, v := range r.Values() {
				text := string(v)
				if v == nil {
					text = "NULL"
				}
				fmt.Fprint(w, strings.NewReplacer("\t", " ", "\n", " ").Replace(text), ending(i, len(fields)))
			}
			rows++
		}
		tag, err := r.Close()
		if flushErr := w.Flush(); err == nil {
			err = flushErr
		}
		if err != nil {
			break
		}
		if len(fields) > 0 {
			fmt.Fprintf(out, "(%d rows)\n", rows)
			continue
		}
		fmt.Fprintln(out, tag)
	}
	return explain(results.Close())
}

// explain adds what the server knows of an error: where, and what to do next.
func explain(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	text := pg.Message
	if pg.Position > 0 {
		text += fmt.Sprintf(" (at character %d)", pg.Position)
	}
	if pg.Hint != "" {
		text += "\n  hint: " + pg.Hint
	}
	return errors.New(text)
}

func ending(i, n int) string {
	if i == n-1 {
		return "\n"
	}
	return "\t"
}
