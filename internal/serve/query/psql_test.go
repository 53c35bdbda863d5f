package query_test

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// psql runs commands in the real psql and returns what it prints.
func (w *world) psql(t *testing.T, commands ...string) string {
	t.Helper()
	path, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not installed")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	args := []string{"-X", "-h", "127.0.0.1", "-p", fmt.Sprint(w.addr.Port), "-U", "myelin", "-d", "myelin", "-v", "VERBOSITY=verbose"}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	if err != nil && ctx.Err() != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func TestPsqlReadsViews(t *testing.T) {
	w := newWorld(t)
	for sql, want := range map[string]string{
		"SELECT campaign, count(*), sum(revenue) AS revenue FROM revenue_per_minute WHERE orders > 2 GROUP BY campaign ORDER BY revenue DESC LIMIT 2": " campaign | count |  revenue  ",
		"SELECT window_start, revenue FROM revenue_per_minute WHERE campaign = 'c1' ORDER BY 1 LIMIT 1":                                               " 2023-11-14 22:13:20+00 |    1.50",
		"SELECT r.campaign, c.segment FROM crm c JOIN revenue_per_minute r ON r.campaign = replace(c.user_id, 'u0', 'c') WHERE ltv >= 0.75 LIMIT 1":   " c3       | ",
		"SELECT segment, avg(ltv) FROM crm GROUP BY 1 ORDER BY 1 NULLS FIRST":                                                                         " vip     | 6.1893939393939394",
		"SELECT 1 + 1 AS two, now() IS NOT NULL":                      "   2 | t",
		"SELECT * FROM crm WHERE user_id = 'u07'":                     " u07     | vip     | 1.75",
		"SELECT revenu FROM revenue_per_minute":                       "42703",
		"SELECT 1/0":                                                  "22012",
		"SELECT * FROM nothing":                                       "42P01",
		"EXPLAIN SELECT count(*) FROM crm":                            "QUERY PLAN",
		"SELECT version(), current_database()":                        "PostgreSQL 15.0 (Myelin)",
		"SELECT current_user || count(*) FROM crm":                    " myelin50",
		"BEGIN; SELECT 1; COMMIT":                                     "COMMIT",
		"INSERT INTO crm VALUES ('x')":                                "25006",
		"SHOW VIEWS":                                                  " public | revenue_per_minute | Revenue by campaign, minute by minute.",
		"SHOW server_version":                                         "15.0 (Myelin)",
		"COPY (SELECT user_id FROM crm ORDER BY 1 LIMIT 2) TO STDOUT": "u00\nu01\n",
	} {
		if got := w.psql(t, sql); !strings.Contains(got, want) {
			t.Errorf("%s\nprints\n%s\nwithout\n%s", sql, got, want)
		}
	}
}

func TestPsqlDescribesRelations(t *testing.T) {
	w := newWorld(t)
	for command, want := range map[string][]string{
		`\dt`:                    {" public | crm  | table | myelin"},
		`\dm`:                    {" public | revenue_per_minute | materialized view | myelin"},
		`\d`:                     {"crm", "revenue_per_minute"},
		`\d revenue_per_minute`:  {`Materialized view "public.revenue_per_minute"`, " window_start | timestamp with time zone |", " revenue      | numeric ", "UNIQUE, btree (window_start, campaign)"},
		`\d crm`:                 {`Table "public.crm"`, " ltv     | double precision |", `"crm_pkey" PRIMARY KEY, btree (user_id)`, "not null"},
		`\d+ revenue_per_minute`: {"View definition:", "SELECT …"},
		`\l`:                     {" myelin | myelin | UTF8"},
		`\dn`:                    {" public | "},
		`\du`:                    {"myelin"},
		`\df`:                    {"(0 rows)"},
		`\dT`:                    {"(0 rows)"},
		`\di`:                    {"crm_pkey"},
		`\conninfo`:              {`database "myelin" as user "myelin"`},
		`\d nothing`:             {`Did not find any relation named "nothing"`},
	} {
		got := w.psql(t, command)
		for _, part := range want {
			if !strings.Contains(got, part) || strings.Contains(got, "ERROR") {
				t.Errorf("%s prints\n%s\nwithout\n%s", command, got, part)
			}
		}
	}
}
