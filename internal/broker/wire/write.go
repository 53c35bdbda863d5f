package wire

import (
	"encoding/binary"
	"errors"
	"net"
	"time"
)

// keepBuffer is the largest encode buffer that an idle connection keeps.
const keepBuffer = 64 << 10

// write sends one answer. An error ends the connection.
func (c *conn) write(p *pending) error {
	if p.err != nil && !errors.Is(p.err, ErrGone) {
		c.server.log.Info("closing Kafka connection", "client", c.client.Remote.String(), "cause", p.err.Error())
	}
	if p.resp == nil {
		return p.err
	}
	err := c.send(p)
	if c.server.Timed != nil {
		c.server.Timed(p.resp.Key(), time.Since(p.at))
	}
	if err != nil {
		return err
	}
	return p.err
}

// send writes the answer, which there is.
func (c *conn) send(p *pending) error {
	head := append(c.encodeBuf[:0], 0, 0, 0, 0)
	head = binary.BigEndian.AppendUint32(head, uint32(p.corr))
	// The response header of ApiVersions is never flexible, so that a client that knows nothing yet can read it (KIP-511).
	if p.resp.IsFlexible() && p.resp.Key() != keyAPIVersions && p.resp.Key() != keyControlledShutdown {
		head = append(head, 0)
	}
	if pieces, ok := p.resp.(Pieces); ok {
		return c.writePieces(pieces, head)
	}
	buf := p.resp.AppendTo(head)
	binary.BigEndian.PutUint32(buf, uint32(len(buf)-4))
	if cap(buf) <= keepBuffer {
		c.encodeBuf = buf
	}
	for len(buf) > 0 {
		n := min(len(buf), writeChunk)
		c.nc.SetWriteDeadline(time.Now().Add(c.server.limits.WriteStall))
		if _, err := c.nc.Write(buf[:n]); err != nil {
			return err
		}
		c.server.stats.BytesOut.Add(int64(n))
		buf = buf[n:]
	}
	return nil
}

func (c *conn) writePieces(r Pieces, head []byte) error {
	defer r.Release()
	pieces := r.AppendPieces(nil, head)
	size := -4
	for _, p := range pieces {
		size += len(p)
	}
	binary.BigEndian.PutUint32(pieces[0], uint32(size))
	if cap(pieces[0]) <= keepBuffer {
		c.encodeBuf = pieces[0]
	}
	for len(pieces) > 0 {
		n, bytes := 0, 0
		for n < len(pieces) && (n == 0 || bytes+len(pieces[n]) <= writeChunk) {
			bytes += len(pieces[n])
			n++
		}
		group := net.Buffers(pieces[:n:n])
		pieces = pieces[n:]
		c.nc.SetWriteDeadline(time.Now().Add(c.server.limits.WriteStall))
		var err error
		if s, ok := c.nc.(*steadyConn); ok {
			err = s.writePieces(group)
		} else {
			_, err = group.WriteTo(c.nc)
		}
		if err != nil {
			return err
		}
		c.server.stats.BytesOut.Add(int64(bytes))
	}
	return nil
}
