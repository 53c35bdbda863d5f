package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"myelin/internal/app"
	"myelin/internal/demo"
)

// demoSecret signs the demo's webhooks; examples/shop has it as the default of ${CART_SECRET}.
const demoSecret = "whsec_ZGVtby1zZWNyZXQtY2hhbmdlLW1lLTAxMjM0NTY3"

func demonstrate(ctx context.Context, args []string) error {
	o := options()
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	serveFlags(flags, &o)
	flags.Lookup("project").DefValue, o.Project = "examples/shop", "examples/shop"
	flags.Lookup("data").DefValue, o.Data = "data/demo", "data/demo"
	seed := flags.Uint64("seed", 1, "decides who visits the shop and what they do")
	hooks := flags.String("webhooks", "127.0.0.1:9999", "`address` of the demo's webhook receiver")
	if err := parse(flags, args, false); err != nil {
		return err
	}
	receiver, err := demo.Listen(*hooks, demoSecret)
	if err != nil {
		return fmt.Errorf("%w; choose another address with --webhooks", err)
	}
	for name, value := range map[string]string{"CART_URL": receiver.URL(), "CART_SECRET": demoSecret} {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("setting %s for the project's SQL: %w", name, err)
		}
	}
	return runDemo(ctx, o, receiver, *seed)
}

// runDemo stops in the order of the river: first the shop, then the server, then the receiver.
func runDemo(ctx context.Context, o app.Options, receiver *demo.Receiver, seed uint64) error {
	background := context.WithoutCancel(ctx)
	receiving, stopReceiving := context.WithCancel(background)
	serving, stopServing := context.WithCancel(background)
	defer stopReceiving()
	defer stopServing()
	var shop errgroup.Group
	shop.Go(func() error { return receiver.Run(receiving) })

	past := closedFor(o.Data, time.Now())
	opened := make(chan app.Addresses, 1)
	served := make(chan error, 1)
	go func() {
		served <- app.Run(serving, o, func(a app.Addresses) {
			announce(a)
			opened <- a
		})
	}()
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
		stopServing()
		err = <-served
	case a := <-opened:
		fmt.Printf("the demo shop is open: watch it at %s (Ctrl-C closes it)\n", a.UI)
		visiting, closeShop := context.WithCancel(ctx)
		closed := make(chan error, 1)
		go func() {
			closed <- demo.New(demo.Config{BaseURL: a.UI, Seed: seed, Past: past, Log: o.Log}).Run(visiting)
		}()
		select {
		case err = <-served: // the server ended by itself
			closeShop()
			<-closed
		case shopErr := <-closed:
			stopServing()
			err = errors.Join(shopErr, <-served)
		}
		closeShop()
	}
	stopReceiving()
	return errors.Join(err, shop.Wait())
}

// closedFor is how long the shop on a data folder has been closed: that much of its past is missing. 0: it is new.
func closedFor(data string, now time.Time) time.Duration {
	var last time.Time
	_ = filepath.WalkDir(filepath.Join(data, "log"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // there is none yet, or its file has just gone
		}
		if info, err := d.Info(); err == nil && !d.IsDir() && info.ModTime().After(last) {
			last = info.ModTime()
		}
		return nil
	})
	if last.IsZero() {
		return 0
	}
	if gap := now.Sub(last); gap > 0 {
		return min(gap, time.Hour)
	}
	return -1
}
