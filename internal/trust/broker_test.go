package trust

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"myelin/internal/broker"
	"myelin/internal/lint/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// forEachBroker runs a test on franz-go's fake, on the embedded broker, and on the Kafka that MYELIN_TEST_KAFKA names.
func forEachBroker(t *testing.T, test func(t *testing.T, brokers []string)) {
	t.Run("fake", func(t *testing.T) {
		fake, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(fake.Close)
		test(t, fake.ListenAddrs())
	})
	t.Run("embedded", func(t *testing.T) { test(t, []string{embedded(t)}) })
	if addrs := os.Getenv("MYELIN_TEST_KAFKA"); addrs != "" {
		t.Run("kafka", func(t *testing.T) { test(t, strings.Split(addrs, ",")) })
	}
}

// embedded starts the embedded broker on a port of its own.
func embedded(t testing.TB) string {
	t.Helper()
	b, err := broker.Open(broker.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		<-done
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}
