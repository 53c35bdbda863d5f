package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"myelin/internal/app"
)

// serveFlags are the flags that serve and demo share.
func serveFlags(fs *flag.FlagSet, o *app.Options) {
	fs.StringVar(&o.Project, "project", ".", "the project `folder`: myelin.yaml, plan/, sql/")
	fs.StringVar(&o.Data, "data", "data", "the data `folder`")
	fs.StringVar(&o.HTTP, "http", "", "`address` of the UI, the API and the collectors (default from myelin.yaml, 127.0.0.1:8080)")
	fs.StringVar(&o.Kafka, "kafka", "", "`address` of the Kafka protocol (127.0.0.1:9092)")
	fs.StringVar(&o.Postgres, "postgres", "", "`address` of the PostgreSQL protocol (127.0.0.1:5433)")
	fs.Func("roles", "`list` of log,collect,trust,process,serve,activate (default all)", func(s string) error {
		roles, err := app.ParseRoles(s)
		o.Roles = roles
		return err
	})
	fs.BoolFunc("verbose", "log what happens in detail", func(string) error {
		o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
		return nil
	})
}

func options() app.Options {
	return app.Options{Version: version, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
}

func serve(ctx context.Context, args []string) error {
	o := options()
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	serveFlags(fs, &o)
	profile := fs.String("profile", "", "loopback `address` of Go's profiler, to find out what is slow")
	if err := parse(fs, args, false); err != nil {
		return err
	}
	stop, err := serveProfiles(ctx, *profile)
	if err != nil {
		return err
	}
	defer stop()
	return app.Run(ctx, o, announce)
}

// announce prints the one line that says where everything is.
func announce(a app.Addresses) {
	parts := []string{"ready"}
	for _, p := range []struct{ name, url string }{{"ui", a.UI}, {"kafka", a.Kafka}, {"postgres", a.Postgres}} {
		if p.url != "" {
			parts = append(parts, p.name+"="+p.url)
		}
	}
	fmt.Println(strings.Join(parts, " "))
}
