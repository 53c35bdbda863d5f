package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// kafka is a cluster of three brokers, which are controllers, too.
type kafka struct {
	t        *testing.T
	script   string
	dirs     []string
	ports    []int
	settings []string
}

// startKafka starts three nodes. What matters for pauses: a dead broker is given up after 3 s (Kafka's own default is 9 s), and what the
// others have asked of one that hangs after 3 s, too (30 s).
func startKafka(t *testing.T) *kafka {
	t.Helper()
	script, err := filepath.Abs("../kafka/kafka.sh")
	if err != nil {
		t.Fatal(err)
	}
	k := &kafka{t: t, script: script, ports: freePorts(t, 6)}
	var voters []string
	for i := range 3 {
		k.dirs = append(k.dirs, t.TempDir())
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", i+1, k.ports[i]+1))
	}
	k.settings = []string{
		"controller.quorum.voters=" + strings.Join(voters, ","), "default.replication.factor=3", "min.insync.replicas=2",
		"offsets.topic.replication.factor=3", "transaction.state.log.replication.factor=3", "transaction.state.log.min.isr=2",
		"broker.session.timeout.ms=3000", "broker.heartbeat.interval.ms=500", "request.timeout.ms=3000", "controller.socket.timeout.ms=3000",
		"controller.quorum.fetch.timeout.ms=1500", "controller.quorum.election.timeout.ms=700", "controller.quorum.election.backoff.max.ms=300",
		"offsets.topic.num.partitions=6", "transaction.state.log.num.partitions=6",
	}
	t.Cleanup(func() {
		for i := range k.dirs {
			if err := k.kill(i); err != nil {
				t.Errorf("stopping Kafka: %v", err)
			}
		}
	})
	var g errgroup.Group
	for i := range 3 {
		g.Go(func() error { return k.start(i) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *kafka) start(i int) error {
	args := append([]string{"start", k.dirs[i], strconv.Itoa(k.ports[i]), fmt.Sprintf("node.id=%d", i+1)}, k.settings...)
	return k.run(args...)
}

// kill ends a node as a crash does.
func (k *kafka) kill(i int) error { return k.run("kill9", k.dirs[i]) }

// freeze has a node answer nothing, as one whose machine is gone; thaw lets it go on.
func (k *kafka) freeze(i int) error { return k.signal(i, syscall.SIGSTOP) }

func (k *kafka) thaw(i int) error { return k.signal(i, syscall.SIGCONT) }

func (k *kafka) signal(i int, s syscall.Signal) error {
	text, err := os.ReadFile(filepath.Join(k.dirs[i], "kafka.pid"))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	return syscall.Kill(pid, s)
}

func (k *kafka) run(args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, k.script, args...)
	cmd.Env = append(os.Environ(), "KAFKA_HEAP_OPTS=-Xmx320M -Xms96M -XX:TieredStopAtLevel=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", args[0], err, out)
	}
	return nil
}

func (k *kafka) brokers() []string {
	var out []string
	for _, p := range k.ports[:3] {
		out = append(out, fmt.Sprintf("127.0.0.1:%d", p))
	}
	return out
}

// freePorts finds ports whose successors are free, too, below those that the system gives to connections: a node that was killed
// has to get its port again.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var out []int
	for port := 20700; port < 20990 && len(out) < n; port += 2 {
		err := errors.Join(free(port), free(port+1))
		if err == nil {
			out = append(out, port)
		}
	}
	if len(out) < n {
		t.Fatal("not enough free ports")
	}
	return out
}

func free(port int) error {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	return l.Close()
}
