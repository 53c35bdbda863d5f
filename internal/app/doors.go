package app

import (
	"context"
	"crypto/rand"
	"errors"

	"myelin/internal/collect"
	"myelin/internal/event"
	"myelin/internal/log"
	"myelin/internal/trust"
	"myelin/internal/trust/quarantine"
)

// doorstage is everything from the doors to the governed topics.
type doorstage struct {
	sealer   *event.Sealer
	hashKey  []byte // of private values
	judge    *trust.Judge
	producer *log.Producer
	doors    *collect.Doors // nil: this process does not collect
	front    *front
	release  *trust.Release // nil: this process does not release
	groups   *quarantine.Groups

	recovery

	repeats             repeats // what the release dropped, for the watch
	releasing, grouping *task
}

// openDoors makes the doors, still shut: senders are told to come back.
func (n *node) openDoors(context.Context) error {
	n.doorstage = &doorstage{}
	key, err := n.folder.secret("secret.key", 64, rand.Reader)
	if err != nil {
		return err
	}
	if n.sealer, err = event.NewSealer([32]byte(key[:32])); err != nil {
		return err
	}
	n.hashKey = key[32:]
	n.judge = trust.NewJudge(n.hashKey)
	if n.has(RoleCollect) {
		if n.producer, err = n.cluster.NewProducer(log.ProducerConfig{}); err != nil {
			return err
		}
		n.doors, err = collect.New(collect.Config{
			Sources: n.doorSources(), Topic: trust.Doorstep("events"), Sealer: n.sealer, Clock: n.Clock, Sluice: n.gates.http,
			Limits: collect.Limits{BodyBytes: int(n.cfg.Limits.RequestBytes)},
		}, n.judge, n.producer, n.metrics)
		if err != nil {
			return err
		}
		n.doors.SetReady(false)
	}
	if n.has(RoleCollect) || n.has(RoleServe) {
		n.front, err = openFront(n.cfg.HTTP.Listen, tlsConfig(n.httpCert), n.doors, n.metrics, loopback(n.cfg.HTTP.Listen) && n.cfg.TrustLoopback)
	}
	return err
}

func (n *node) doorSources() []collect.Source {
	var out []collect.Source
	for _, s := range n.cfg.Sources {
		out = append(out, collect.Source{Name: s.Name, Plan: s.Plan, WriteKeys: s.WriteKeys})
	}
	return out
}

func (n *node) trustSources() []trust.Source {
	var out []trust.Source
	for _, s := range n.cfg.Sources {
		out = append(out, trust.Source{Name: s.Name, Plan: s.Plan, WriteKeys: s.WriteKeys})
	}
	return out
}

// openTrust starts the release and the list of what is wrong. The plans are in force by then. Nobody waits for the release to
// own its partitions: what comes in before that is durable, and waits on the doorstep.
func (n *node) openTrust(context.Context) error {
	if n.has(RoleServe) {
		n.groups = quarantine.New(quarantine.Config{Topics: n.governed, Quarantine: quarantineTopic, Clock: n.Clock, Logger: n.Log}, n.cluster)
		n.grouping = n.tasks.start("grouping violations", insisting("grouping violations", n.Log, n.groups.Run))
	}
	if n.has(RoleTrust) {
		var err error
		n.release, err = trust.NewRelease(trust.ReleaseConfig{
			Topics: n.governed, Quarantine: quarantineTopic, Node: n.nodeName(), FS: n.folder.fs, Dir: n.folder.path("trust"),
			Clock: n.Clock, Logger: n.Log, Repeated: n.repeats.add, Shared: n.broker == nil,
		}, n.cluster, n.judge, n.sealer, n.metrics)
		if err != nil {
			return err
		}
	}
	if n.has(RoleServe) || n.has(RoleTrust) {
		n.openRecovery()
	}
	if n.release != nil {
		n.releasing = n.tasks.start("releasing events", n.release.Run)
	}
	return nil
}

func (n *node) closeDoors(ctx context.Context) error {
	if n.doorstage == nil {
		return nil
	}
	var errs []error
	if n.producer != nil {
		errs = append(errs, n.producer.Close(ctx))
	}
	n.recovery.stop()
	n.releasing.stop()
	n.grouping.stop()
	return errors.Join(errs...)
}
