package log

import (
	"context"
	"errors"
	"net"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Away reports whether an error is the brokers' or the network's, and not the fault of whoever asked: the same may work later.
func Away(err error) bool {
	var broker *kerr.Error
	if errors.As(err, &broker) {
		return broker.Retriable
	}
	var network net.Error
	for _, known := range []error{ErrOverloaded, context.DeadlineExceeded, kgo.ErrClientClosed, kgo.ErrRecordTimeout, kgo.ErrRecordRetries, kgo.ErrMaxBuffered, net.ErrClosed} {
		if errors.Is(err, known) {
			return true
		}
	}
	return errors.As(err, &network)
}
