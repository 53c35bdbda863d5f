package pgwire

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"myelin/internal/serve/query"
	"myelin/internal/serve/value"
	"myelin/internal/vec"
)

// copyOptions say how COPY … TO STDOUT writes (PostgreSQL, COPY).
type copyOptions struct {
	format    string // text, csv, binary
	delimiter byte
	null      string
	header    bool
	quote     byte
	escape    byte
}

// copyCommand reads COPY { relation [(columns)] | (query) } TO STDOUT [options].
func (ss *session) copyCommand(w *words, sql string) (*prepared, error) {
	var inner string
	if w.text == "(" {
		start, depth := w.i, 0
		for ; !w.done(); w.next() {
			if w.text == "(" {
				depth++
			}
			if w.text == ")" {
				if depth--; depth == 0 {
					break
				}
			}
		}
		if w.done() {
			return nil, syntaxAt(w)
		}
		inner = strings.Repeat(" ", start) + sql[start:w.i-1]
		w.next()
	} else {
		from := w.i - len(w.text)
		for !w.done() && !w.peek("TO") && !w.peek("FROM") && w.text != "(" {
			w.next()
		}
		relation, columns := strings.TrimSpace(sql[from:w.i-len(w.text)]), "*"
		if w.text == "(" {
			start := w.i
			for !w.done() && w.text != ")" {
				w.next()
			}
			columns = strings.TrimSuffix(sql[start:w.i], ")")
			w.next()
		}
		inner = "SELECT " + columns + " FROM " + relation
	}
	if w.peek("FROM") {
		return nil, &query.Error{Code: query.CodeReadOnly, Message: "COPY FROM is not supported: this server is read-only",
			Hint: "Send events over HTTP (POST /v1/batch) or Kafka; tables are loaded from files by CREATE TABLE … WITH (connector = 'file')."}
	}
	if !w.is("TO") || !w.is("STDOUT") {
		return nil, syntaxAt(w)
	}
	opts, err := readCopyOptions(w)
	if err != nil {
		return nil, err
	}
	st, err := ss.prepareQuery(inner, nil)
	if err != nil {
		return nil, err
	}
	copied := *st.Statement
	copied.Tag = "COPY"
	return &prepared{Statement: &copied, oids: st.oids, copyOut: opts}, nil
}

func readCopyOptions(w *words) (*copyOptions, error) {
	o := &copyOptions{format: "text"}
	var delimiter, quote, escape, null string
	nullSet := false
	w.is("WITH")
	paren := w.is("(")
	for !w.done() && !w.is(")") {
		key := lower(w.text)
		w.next()
		if !paren {
			w.is("AS")
		}
		arg := func() string {
			text := unquote(w.kind, w.text)
			w.next()
			return text
		}
		switch key {
		case "format":
			o.format = lower(arg())
		case "csv", "binary", "text":
			o.format = key
		case "delimiter":
			delimiter = arg()
		case "null":
			null, nullSet = arg(), true
		case "quote":
			quote = arg()
		case "escape":
			escape = arg()
		case "header":
			o.header = true
			if paren && w.text != "," && w.text != ")" {
				v := lower(arg())
				o.header = v != "false" && v != "off" && v != "0"
			}
		case "encoding":
			arg()
		default:
			return nil, query.Errorf(query.CodeSyntax, "option \"%s\" not recognized", key)
		}
		w.is(",")
	}
	if o.format != "text" && o.format != "csv" && o.format != "binary" {
		return nil, query.Errorf(query.CodeInvalidParameter, "COPY format \"%s\" not recognized", o.format)
	}
	one := func(s string, def byte) (byte, error) {
		if s == "" {
			return def, nil
		}
		if len(s) != 1 || s == "\n" || s == "\r" {
			return 0, query.Errorf(query.CodeFeatureNotSupported, "COPY delimiter, quote and escape must be a single one-byte character")
		}
		return s[0], nil
	}
	def := byte('\t')
	o.null = `\N`
	if o.format == "csv" {
		def, o.null = ',', ""
	}
	if nullSet {
		o.null = null
	}
	var err error
	if o.delimiter, err = one(delimiter, def); err != nil {
		return nil, err
	}
	if o.quote, err = one(quote, '"'); err != nil {
		return nil, err
	}
	o.escape, err = one(escape, o.quote)
	return o, err
}

// runCopy sends the whole answer of p as COPY data (PostgreSQL §55.2.6).
func (ss *session) runCopy(p *portal) error {
	o := p.st.copyOut
	format := byte(pgproto3.TextFormat)
	if o.format == "binary" {
		format = pgproto3.BinaryFormat
	}
	codes := make([]uint16, len(p.st.Columns))
	for i := range codes {
		codes[i] = uint16(format)
	}
	ss.out.send(&pgproto3.CopyOutResponse{OverallFormat: format, ColumnFormatCodes: codes})
	var line []byte
	if o.format == "binary" {
		line = append(line, "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	} else if o.header {
		for i, c := range p.st.Columns {
			if i > 0 {
				line = append(line, o.delimiter)
			}
			line = o.appendField(line, []byte(c.Name))
		}
		line = append(line, '\n')
		ss.out.send(&pgproto3.CopyData{Data: line})
		line = line[:0]
	}
	style := ss.style()
	n, _, err := ss.each(p, 0, func(b *vec.Batch, row int) {
		line = o.appendRow(line, b, row, p.st.Columns, style)
		ss.out.send(&pgproto3.CopyData{Data: line})
		line = line[:0]
	})
	if err != nil {
		return err
	}
	if o.format == "binary" {
		line = binary.BigEndian.AppendUint16(line, math.MaxUint16)
		ss.out.send(&pgproto3.CopyData{Data: line})
	}
	ss.out.send(&pgproto3.CopyDone{})
	ss.out.send(&pgproto3.CommandComplete{CommandTag: p.tag(n)})
	return nil
}

func (o *copyOptions) appendRow(dst []byte, b *vec.Batch, row int, cols []query.Column, style value.Style) []byte {
	if o.format == "binary" {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(b.Cols)))
	}
	var field []byte
	for i, col := range b.Cols {
		at := row
		if b.N != 1 && col.Len() == 1 {
			at = 0
		}
		null := col.IsNull(at)
		if o.format == "binary" {
			if null {
				dst = binary.BigEndian.AppendUint32(dst, math.MaxUint32)
				continue
			}
			field = value.AppendBinaryAs(field[:0], cols[i].OID, col, at)
			dst = binary.BigEndian.AppendUint32(dst, uint32(len(field)))
			dst = append(dst, field...)
			continue
		}
		if i > 0 {
			dst = append(dst, o.delimiter)
		}
		if null {
			dst = append(dst, o.null...)
			continue
		}
		field = style.AppendTextAs(field[:0], cols[i].OID, col, at)
		dst = o.appendField(dst, field)
	}
	if o.format != "binary" {
		dst = append(dst, '\n')
	}
	return dst
}

func (o *copyOptions) appendField(dst, field []byte) []byte {
	if o.format == "csv" {
		special := string([]byte{o.delimiter, o.quote, '\n', '\r'})
		if !bytes.ContainsAny(field, special) && string(field) != o.null && string(field) != `\.` {
			return append(dst, field...)
		}
		dst = append(dst, o.quote)
		for _, c := range field {
			if c == o.quote || c == o.escape {
				dst = append(dst, o.escape)
			}
			dst = append(dst, c)
		}
		return append(dst, o.quote)
	}
	for _, c := range field {
		switch c {
		case '\\':
			dst = append(dst, '\\', '\\')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\v':
			dst = append(dst, '\\', 'v')
		case o.delimiter:
			dst = append(dst, '\\', c)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
