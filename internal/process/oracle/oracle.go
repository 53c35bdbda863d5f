// Package oracle runs a private PostgreSQL whose answers tests compare ours with.
package oracle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNotInstalled says that there is no PostgreSQL 15 on the machine.
var ErrNotInstalled = errors.New("PostgreSQL 15 is not installed (apt package postgresql-15)")

// Postgres is a private PostgreSQL that answers on a socket in a temporary folder. One goroutine uses it at a time.
type Postgres struct {
	conn *pgconn.PgConn
	stop func() error
}

// timeout bounds each question.
const timeout = 5 * time.Minute

// Main runs the tests of a package with a PostgreSQL, nil where none is installed, and gives the code to exit with.
func Main(m *testing.M, pg **Postgres) int {
	p, err := Open()
	if err != nil && !errors.Is(err, ErrNotInstalled) {
		fmt.Println("starting PostgreSQL:", err)
		return 1
	}
	*pg = p
	code := m.Run()
	if p != nil {
		if err := p.Close(); err != nil {
			fmt.Println("stopping PostgreSQL:", err)
			return 1
		}
	}
	return code
}

// Open makes a cluster in a temporary folder and starts it.
func Open() (*Postgres, error) {
	bin := "/usr/lib/postgresql/15/bin"
	if _, err := os.Stat(filepath.Join(bin, "initdb")); err != nil {
		return nil, ErrNotInstalled
	}
	dir, err := os.MkdirTemp("", "oracle")
	if err != nil {
		return nil, fmt.Errorf("making a folder for PostgreSQL: %w", err)
	}
	p, err := start(bin, dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return p, nil
}

func start(bin, dir string) (*Postgres, error) {
	run := func(args ...string) error {
		if os.Getuid() == 0 { // PostgreSQL refuses to run as root
			args = append([]string{"runuser", "-u", "postgres", "--"}, args...)
		}
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("running %v: %w\n%s", args, err, out)
		}
		return nil
	}
	if err := own(dir); err != nil {
		return nil, fmt.Errorf("giving the folder to PostgreSQL: %w", err)
	}
	data := filepath.Join(dir, "data")
	err := run(filepath.Join(bin, "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "--lc-collate=C", "--lc-ctype=C.UTF-8", "-E", "UTF8", "--no-sync")
	if err != nil {
		return nil, err
	}
	options := "-F -c listen_addresses= -c unix_socket_directories=" + dir + " -c timezone=UTC -c shared_buffers=16MB"
	if err := run(filepath.Join(bin, "pg_ctl"), "-D", data, "-w", "-l", filepath.Join(dir, "log"), "-o", options, "start"); err != nil {
		return nil, err
	}
	p := &Postgres{stop: func() error {
		err := run(filepath.Join(bin, "pg_ctl"), "-D", data, "-m", "immediate", "stop")
		return errors.Join(err, os.RemoveAll(dir))
	}}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if p.conn, err = pgconn.Connect(ctx, "host="+dir+" user=postgres dbname=postgres"); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// Close stops the server and removes its files.
func (p *Postgres) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return errors.Join(p.conn.Close(ctx), p.stop())
}

// Conn is the connection, for what Ask cannot say: parameters, formats, descriptions.
func (p *Postgres) Conn() *pgconn.PgConn { return p.conn }

// own gives the folder to the user that PostgreSQL runs as.
func own(dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil || os.Getuid() != 0 {
		return err
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	return os.Chown(dir, uid, gid)
}

// Null is how Ask shows NULL.
const Null = "<NULL>"

// Ask runs statements and gives the rows of the last as text.
func (p *Postgres) Ask(sql string) (rows [][]string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	results, err := p.conn.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	for _, r := range results[len(results)-1].Rows {
		var row []string
		for _, v := range r {
			if v == nil {
				row = append(row, Null)
				continue
			}
			row = append(row, string(v))
		}
		rows = append(rows, row)
	}
	return rows, nil
}
