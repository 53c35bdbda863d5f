//go:build !linux

package wire

import (
	"net"
	"time"
)

// steadyConn is for Linux only.
type steadyConn struct{ net.Conn }

func mayBeSteady(nc net.Conn, _ *Server) net.Conn { return nc }

func (s *steadyConn) another(bool) {}

func (s *steadyConn) writePieces(pieces net.Buffers) error {
	_, err := pieces.WriteTo(s.Conn)
	return err
}

func spent() time.Duration { return 0 }
