//go:build !linux

package wire

import (
	"net"
	"sync/atomic"
	"time"
)

// steadyConn is for Linux only.
type steadyConn struct{ net.Conn }

func mayBeSteady(nc net.Conn, _ time.Duration, _ *atomic.Int64) net.Conn { return nc }

func (s *steadyConn) another(bool) {}

func (s *steadyConn) writePieces(pieces net.Buffers) error {
	_, err := pieces.WriteTo(s.Conn)
	return err
}
