package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"myelin/internal/broker"
	"myelin/internal/broker/group"
	"myelin/internal/broker/store"
	"myelin/internal/config"
	"myelin/internal/log"
	"myelin/internal/trust"
)

// quarantineTopic keeps what was rejected.
const quarantineTopic = "quarantine"

// waist is the log: the embedded broker, if there is one, and the way to it.
type waist struct {
	broker    *broker.Broker // nil: a cluster's brokers
	kafka     net.Listener
	serving   *task
	cluster   *log.Cluster
	governed  []string
	partCount map[string]int32
	gates     gates
}

func (n *node) openWaist(ctx context.Context) error {
	n.waist = &waist{}
	for name, t := range n.cfg.Topics {
		if t.Governed {
			n.governed = append(n.governed, name)
		}
	}
	lc := log.Config{Brokers: n.cfg.Kafka.Brokers, Compress: true, Log: n.Log}
	if len(lc.Brokers) == 0 {
		if err := n.openBroker(); err != nil {
			return err
		}
		lc = log.Config{Brokers: []string{n.cfg.Kafka.Listen}, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return n.broker.Dial(ctx)
		}}
	} else if err := n.clusterLogin(&lc); err != nil {
		return err
	}
	var err error
	if n.cluster, err = log.Open(lc); err != nil {
		return err
	}
	if err := n.ensureTopics(ctx); err != nil {
		return err
	}
	if n.broker == nil {
		n.clusterGates()
	}
	return nil
}

func (n *node) openBroker() error {
	listener, err := net.Listen("tcp", n.cfg.Kafka.Listen)
	if err != nil {
		return fmt.Errorf("opening the Kafka port: %w; choose another with --kafka or kafka.listen in myelin.yaml", err)
	}
	n.kafka = listener
	n.cfg.Kafka.Listen = listener.Addr().String()
	admit := n.brokerGates()
	n.broker, err = broker.Open(broker.Config{
		Dir: n.folder.path("log"), FS: n.folder.fs, Clock: n.Clock, Advertised: n.advertised(), AutoCreateTopics: true, Reserved: n.reserved, Protected: n.protected, Admit: admit,
		Store:         store.Config{MinFreeBytes: n.cfg.Limits.FreeDiskBytes},
		TopicDefaults: map[string]string{"retention.ms": "604800000"},
		Access:        n.kafkaAccess(), TLS: tlsConfig(n.kafkaCert),
		Limits: broker.Limits{
			Connections: n.cfg.Limits.KafkaConnections, PerAddress: n.cfg.Limits.KafkaConnectionsPerAddress, InflightBytes: n.cfg.Limits.KafkaMemoryBytes,
		},
		Groups: group.Config{OffsetsRetention: forever(n.cfg.Kafka.OffsetsRetention)}, ProducerRetention: forever(n.cfg.Kafka.ProducerRetention),
		Log: n.Log, Telemetry: n.metrics,
	})
	if err != nil {
		return errors.Join(fmt.Errorf("opening the log in %s: %w", n.folder.path("log"), err), listener.Close())
	}
	n.serving = n.tasks.start("serving the Kafka port", func(ctx context.Context) error { return n.broker.Serve(ctx, listener) })
	n.tasks.start("writing the log", func(ctx context.Context) error {
		select {
		case <-n.broker.Failed():
			return n.broker.Err()
		case <-ctx.Done():
			return nil
		}
	})
	return nil
}

// forever is d, or if that is 0, which means for ever, a hundred years.
func forever(d config.Duration) time.Duration {
	if d == 0 {
		d = config.Days(36_500)
	}
	return d.Std()
}

// advertised is where clients of the embedded broker are sent; "": where they came to.
func (n *node) advertised() string {
	if n.cfg.Kafka.Advertised != "" {
		return n.cfg.Kafka.Advertised
	}
	host, _, err := net.SplitHostPort(n.cfg.Kafka.Listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return ""
	}
	return n.cfg.Kafka.Listen
}

// reserved reports whether Myelin alone writes a topic: producers reach governed ones through their doorsteps.
func (n *node) reserved(topic string) bool {
	return n.isGoverned(topic) || strings.HasPrefix(topic, "myelin.")
}

// protected reports whether a topic holds what was acknowledged or decided, the doorsteps too.
func (n *node) protected(topic string) bool {
	return n.reserved(topic) || n.isDoorstep(topic)
}

func (n *node) isDoorstep(topic string) bool {
	governed, doorstep := strings.CutSuffix(topic, trust.Doorstep(""))
	return doorstep && n.isGoverned(governed)
}

// ensureTopics makes the topics of the river.
func (n *node) ensureTopics(ctx context.Context) error {
	var specs []log.TopicSpec
	for name, t := range n.cfg.Topics {
		spec := log.TopicSpec{Name: name, Partitions: t.Partitions, Config: map[string]string{"retention.ms": retention(t.Retention), "message.timestamp.type": "CreateTime"}}
		specs = append(specs, spec)
		if !t.Governed {
			continue
		}
		doorstep := log.TopicSpec{Name: trust.Doorstep(name), Partitions: t.Partitions, Config: map[string]string{"retention.ms": retention(config.Days(3))}}
		specs = append(specs, doorstep)
	}
	if _, own := n.cfg.Topics[quarantineTopic]; !own {
		specs = append(specs, log.TopicSpec{Name: quarantineTopic, Partitions: n.cfg.Topics["events"].Partitions,
			Config: map[string]string{"retention.ms": retention(config.Days(30))}})
	}
	var err error
	n.partCount, err = n.cluster.EnsureTopics(ctx, specs...)
	if err != nil && n.broker == nil {
		return fmt.Errorf("reaching the cluster at %v: %w", n.cfg.Kafka.Brokers, err)
	}
	return err
}

func retention(d config.Duration) string {
	if d == 0 {
		return "-1"
	}
	return strconv.FormatInt(d.Std().Milliseconds(), 10)
}

func (n *node) closeWaist(context.Context) error {
	if n.waist == nil {
		return nil
	}
	var errs []error
	n.gates.measuring.stop()
	if n.cluster != nil {
		n.cluster.Close()
	}
	n.serving.stop()
	if n.broker != nil {
		errs = append(errs, n.broker.Close())
	}
	if n.kafka != nil {
		if err := n.kafka.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// nodeName names this process among those of one installation, the same after a restart.
func (n *node) nodeName() string {
	if c := n.cfg.Cluster; c != nil && c.Node != "" {
		return c.Node
	}
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	if n.broker != nil {
		return "node"
	}
	return host + "-" + n.folder.dir
}
