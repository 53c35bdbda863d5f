// Package app puts the stages together: it knows every part, the order in which they start and stop, and nothing of what
// they do.
package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"myelin/internal/clock"
	"myelin/internal/config"
	"myelin/internal/telemetry"
)

// node is one running process: what the options and files say, and the parts that were opened, in the order of the river.
type node struct {
	Options
	cfg     config.Config
	files   fs.FS
	metrics *telemetry.Registry
	started time.Time
	folder  *folder

	*keys      // who gets in
	*waist     // broker and log
	*doorstage // collect and trust
	*river     // process, activate and serve
	desired    *desired
	*governing                          // proposals and the audit log
	watching   atomic.Pointer[watching] // nil: this process shows no pages, or releases nothing

	tasks tasks
}

// Run opens every part that the roles ask for, calls ready with the addresses, and serves until ctx ends; then it drains:
// what was acknowledged is kept, what was begun is finished.
func Run(ctx context.Context, o Options, ready func(Addresses)) error {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	files, err := projectFiles(o.Project)
	if err != nil {
		return err
	}
	cfg, err := o.configure(filepath.Join(o.Project, "myelin.yaml"))
	if err != nil {
		return err
	}
	if err := safeAddresses(cfg); err != nil {
		return err
	}
	n := &node{Options: o, cfg: cfg, files: files, metrics: telemetry.New().WithRuntime(), started: o.Clock.Now()}
	n.tasks.failed = make(chan error, 1)
	err = n.open(ctx)
	if err == nil {
		ready(n.addresses())
		select {
		case <-ctx.Done():
		case err = <-n.tasks.failed:
		}
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = nil
	}
	return errors.Join(err, n.close())
}

// open starts the parts from the log outwards, so that nothing asks for a part that is not there yet.
func (n *node) open(ctx context.Context) error {
	dir, err := filepath.Abs(n.Data)
	if err != nil {
		return fmt.Errorf("finding the data folder: %w", err)
	}
	if n.folder, err = openFolder(vfs.Default, dir); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		n.openKeys, n.openWaist, n.openDoors, n.openDesired, n.openGovernance, n.openTrust, n.openRiver, n.openWatching, n.openServe, n.startWatching,
	} {
		if err := step(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// close stops the parts in the order of the river: first nothing comes in any more, then what is inside moves on, and the
// log ends last. Parts that were never opened are passed over.
func (n *node) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
	defer cancel()
	var errs []error
	for _, step := range []func(context.Context) error{n.closeServe, n.closeDoors, n.closeWatching, n.closeRiver, n.closeWaist} {
		errs = append(errs, step(ctx))
	}
	if n.folder != nil {
		errs = append(errs, n.folder.close())
	}
	return errors.Join(errs...)
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (n *node) addresses() Addresses {
	var a Addresses
	if n.river != nil && n.front != nil {
		scheme := "http://"
		if n.httpCert != nil {
			scheme = "https://"
		}
		a.UI = scheme + n.front.listener.Addr().String()
	}
	if n.waist != nil && n.kafka != nil {
		a.Kafka = n.kafka.Addr().String()
	}
	if n.river != nil && n.postgres != nil {
		a.Postgres = "postgres://myelin@" + n.postgres.Addr().String() + "/myelin"
	}
	return a
}
