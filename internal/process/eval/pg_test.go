package eval_test

import (
	"context"
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

// pg is a private PostgreSQL that answers on a socket in a temporary folder; nil where PostgreSQL is not installed.
var pg *pgconn.PgConn

func TestMain(m *testing.M) {
	os.Exit(func() int {
		stop, err := startPostgres()
		if err != nil {
			fmt.Println("starting PostgreSQL:", err)
			return 1
		}
		defer stop()
		return m.Run()
	}())
}

// oracle returns the connection or skips the test.
func oracle(t *testing.T) *pgconn.PgConn {
	if pg == nil {
		t.Skip("PostgreSQL 15 is not installed (apt package postgresql-15): answers are not compared with it")
	}
	return pg
}

func startPostgres() (stop func(), err error) {
	bin := "/usr/lib/postgresql/15/bin"
	if _, err := os.Stat(filepath.Join(bin, "initdb")); err != nil {
		return func() {}, nil
	}
	dir, err := os.MkdirTemp("", "oracle")
	if err != nil {
		return nil, err
	}
	remove := func() { _ = os.RemoveAll(dir) }
	run := func(args ...string) error {
		if os.Getuid() == 0 { // PostgreSQL refuses to run as root
			args = append([]string{"runuser", "-u", "postgres", "--"}, args...)
		}
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w\n%s", args, err, out)
		}
		return nil
	}
	if err := own(dir); err != nil {
		remove()
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := run(filepath.Join(bin, "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "--lc-collate=C", "--lc-ctype=C.UTF-8", "-E", "UTF8", "--no-sync"); err != nil {
		remove()
		return nil, err
	}
	options := "-F -c listen_addresses= -c unix_socket_directories=" + dir + " -c timezone=UTC -c shared_buffers=16MB"
	if err := run(filepath.Join(bin, "pg_ctl"), "-D", data, "-w", "-l", filepath.Join(dir, "log"), "-o", options, "start"); err != nil {
		remove()
		return nil, err
	}
	stop = func() {
		if err := run(filepath.Join(bin, "pg_ctl"), "-D", data, "-m", "immediate", "stop"); err != nil {
			fmt.Println(err)
		}
		remove()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	pg, err = pgconn.Connect(ctx, "host="+dir+" user=postgres dbname=postgres")
	if err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

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

// ask runs a query and gives the rows as text; NULL is the text NULL in brackets.
func ask(sql string) (rows [][]string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	results, err := pg.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	for _, r := range results[len(results)-1].Rows {
		var row []string
		for _, v := range r {
			if v == nil {
				row = append(row, "<NULL>")
			} else {
				row = append(row, string(v))
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}
