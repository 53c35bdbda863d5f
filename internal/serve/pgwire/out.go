package pgwire

import (
	"encoding/binary"
	"net"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgproto3"

	"myelin/internal/serve/query"
	"myelin/internal/serve/value"
	"myelin/internal/vec"
)

// flushAt is how much is gathered before it is written although the client has not asked for it.
const flushAt = 32 << 10

// out gathers messages to the client. After the first failed write it drops everything and keeps the error.
type out struct {
	conn    net.Conn
	timeout time.Duration
	buf     []byte
	err     error
}

func (o *out) send(msg pgproto3.BackendMessage) {
	if o.err != nil {
		return
	}
	if o.buf, o.err = msg.Encode(o.buf); len(o.buf) >= flushAt {
		o.flush()
	}
}

func (o *out) flush() {
	if o.err != nil || len(o.buf) == 0 {
		return
	}
	if o.err = o.conn.SetWriteDeadline(time.Now().Add(o.timeout)); o.err != nil {
		return
	}
	_, o.err = o.conn.Write(o.buf)
	if cap(o.buf) > 4*flushAt { // one huge row must not hold its memory for ever
		o.buf = nil
	}
	o.buf = o.buf[:0]
}

// row sends row i of a batch as a DataRow message.
func (o *out) row(b *vec.Batch, i int, cols []query.Column, formats []int16, style value.Style) {
	if o.err != nil {
		return
	}
	start := len(o.buf)
	buf := append(o.buf, 'D', 0, 0, 0, 0)
	buf = binary.BigEndian.AppendUint16(buf, uint16(len(b.Cols)))
	for c, col := range b.Cols {
		at := i
		if b.N != 1 && col.Len() == 1 { // a constant column
			at = 0
		}
		if col.IsNull(at) || col.Type.Kind == vec.Unknown && len(col.Spans) == 0 {
			buf = append(buf, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		mark := len(buf)
		buf = append(buf, 0, 0, 0, 0)
		if formats[c] == pgproto3.BinaryFormat {
			buf = value.AppendBinaryAs(buf, cols[c].OID, col, at)
		} else {
			buf = style.AppendTextAs(buf, cols[c].OID, col, at)
		}
		binary.BigEndian.PutUint32(buf[mark:], uint32(len(buf)-mark-4))
	}
	binary.BigEndian.PutUint32(buf[start+1:], uint32(len(buf)-start-1))
	if o.buf = buf; len(buf) >= flushAt {
		o.flush()
	}
}

func (o *out) rowDescription(cols []query.Column, formats []int16) {
	msg := &pgproto3.RowDescription{Fields: make([]pgproto3.FieldDescription, len(cols))}
	for i, c := range cols {
		oid := c.OID
		if oid == 0 {
			oid = value.OID(c.Type)
		}
		format := int16(pgproto3.TextFormat)
		if formats != nil {
			format = formats[i]
		}
		msg.Fields[i] = pgproto3.FieldDescription{
			Name: []byte(c.Name), TableOID: c.Table, TableAttributeNumber: uint16(c.Attr), DataTypeOID: oid,
			DataTypeSize: value.SizeOf(oid, c.Type), TypeModifier: value.Modifier(c.Type), Format: format,
		}
	}
	o.send(msg)
}

// fail reports an error. script is what positions count in, at where the failing statement begins in it.
func (o *out) fail(err error, severity, script string, at int) {
	e := query.AsError(err)
	msg := &pgproto3.ErrorResponse{
		Severity: severity, SeverityUnlocalized: severity, Code: e.Code, Message: e.Message, Detail: e.Detail, Hint: e.Hint,
	}
	if e.Position > 0 {
		end := min(at+e.Position-1, len(script))
		msg.Position = int32(utf8.RuneCountInString(script[:end]) + 1)
	}
	o.send(msg)
}

func (o *out) notice(severity, code, message string) {
	o.send(&pgproto3.NoticeResponse{Severity: severity, SeverityUnlocalized: severity, Code: code, Message: message})
}
