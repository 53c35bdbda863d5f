package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// What a connection may hold and how long it may take.

// errHandshake is a TLS handshake that came to nothing.
var errHandshake = errors.New("TLS handshake")

// greet does the TLS handshake, if there is one, and lets the handler meet the client.
func (c *conn) greet(ctx context.Context) error {
	c.login = time.Now().Add(c.server.limits.Login)
	if secure, ok := c.nc.(*tls.Conn); ok {
		within, cancel := context.WithDeadline(ctx, c.login)
		defer cancel()
		if err := secure.HandshakeContext(within); err != nil {
			return fmt.Errorf("%w: %w", errHandshake, err)
		}
		state := secure.ConnectionState()
		c.client.TLS = &state
		c.login = time.Now().Add(c.server.limits.Login)
	}
	g, ok := c.server.handler.(Greeter)
	if !ok {
		c.client.Welcome()
		return nil
	}
	g.Greet(c.client)
	return nil
}

// patience is when a client must have begun its next request.
func (c *conn) patience(now time.Time) time.Time {
	till := now.Add(c.server.limits.Idle)
	if !c.client.known.Load() {
		till = earlier(till, c.login)
	}
	return till
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// unmuted waits until the client may be read again.
func (c *conn) unmuted(ctx context.Context) error {
	for {
		till := c.client.mutedTill.Load()
		if till == nil || time.Until(*till) <= 0 {
			return nil
		}
		timer := time.NewTimer(time.Until(*till))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// take waits until a request of so many bytes may be read: first for this connection's share, so that it waits alone.
func (c *conn) take(ctx context.Context, size int64) error {
	if err := c.held.Acquire(ctx, size); err != nil {
		return err
	}
	budget := c.server.budget
	if size <= smallBytes {
		budget = c.server.small
	}
	if err := budget.Acquire(ctx, size); err != nil {
		c.held.Release(size)
		return err
	}
	c.server.stats.Held.Add(size)
	return nil
}

// give takes back take.
func (c *conn) give(size int64) {
	if size <= smallBytes {
		c.server.small.Release(size)
	} else {
		c.server.budget.Release(size)
	}
	c.held.Release(size)
	c.server.stats.Held.Add(-size)
}

// blame counts why a connection was closed.
func (c *conn) blame(err error) {
	switch {
	case errors.Is(err, errHandshake):
		c.server.stats.Handshakes.Add(1)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.ErrUnexpectedEOF):
		c.server.stats.Slow.Add(1)
	default:
		c.server.stats.Garbage.Add(1)
	}
}
