package pgwire

import (
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"myelin/internal/serve/query"
	"myelin/internal/serve/value"
	"myelin/internal/vec"
)

// extended answers one message of the extended protocol (PostgreSQL §55.2.3). After an error the caller skips to Sync.
func (ss *session) extended(msg pgproto3.FrontendMessage) error {
	switch m := msg.(type) {
	case *pgproto3.Parse:
		return ss.parse(m)
	case *pgproto3.Bind:
		return ss.bind(m)
	case *pgproto3.Describe:
		return ss.describe(m)
	case *pgproto3.Execute:
		return ss.run1(m)
	case *pgproto3.Close:
		switch m.ObjectType {
		case 'S':
			delete(ss.statements, m.Name)
		case 'P':
			ss.closePortal(m.Name)
		default:
			return query.Errorf(query.CodeProtocolViolation, "invalid CLOSE message subtype %d", m.ObjectType)
		}
		ss.out.send(&pgproto3.CloseComplete{})
		return nil
	}
	return query.Errorf(query.CodeProtocolViolation, "unexpected message %T", msg)
}

// source is the text that an error's position counts in.
func (ss *session) source(msg pgproto3.FrontendMessage) string {
	switch m := msg.(type) {
	case *pgproto3.Parse:
		return m.Query
	case *pgproto3.Bind:
		if st := ss.statements[m.PreparedStatement]; st != nil {
			return st.sql
		}
	case *pgproto3.Execute:
		if p := ss.portals[m.Portal]; p != nil {
			return p.st.sql
		}
	}
	return ""
}

func (ss *session) parse(m *pgproto3.Parse) error {
	if m.Name != "" {
		if ss.statements[m.Name] != nil {
			return query.Errorf(query.CodeDuplicateStatement, "prepared statement \"%s\" already exists", m.Name)
		}
		if len(ss.statements) >= maxStatements {
			return &query.Error{Code: query.CodeTooManyRows, Message: "too many prepared statements",
				Hint: "Close those that are no longer needed: DEALLOCATE ALL."}
		}
	}
	delete(ss.statements, "")
	pieces := split(m.Query)
	if len(pieces) > 1 {
		return query.Errorf(query.CodeSyntax, "cannot insert multiple commands into a prepared statement")
	}
	st := &prepared{Statement: &query.Statement{}, empty: true}
	if len(pieces) == 1 {
		var err error
		// The blanks keep error positions right.
		if st, err = ss.prepare(strings.Repeat(" ", pieces[0].at)+pieces[0].text, m.ParameterOIDs); err != nil {
			return err
		}
		if err := ss.allowed(st); err != nil {
			return err
		}
	}
	ss.statements[m.Name] = st
	ss.out.send(&pgproto3.ParseComplete{})
	return nil
}

// prepare reads one statement: a command of the session, or a query for the engine.
func (ss *session) prepare(sql string, oids []uint32) (*prepared, error) {
	if st, err := ss.command(sql); st != nil || err != nil {
		return st, err
	}
	return ss.prepareQuery(sql, oids)
}

func (ss *session) prepareQuery(sql string, oids []uint32) (*prepared, error) {
	if ss.tx.state == txFailed {
		return &prepared{Statement: &query.Statement{}, sql: sql}, nil // refused by allowed
	}
	hints := make([]vec.Type, len(oids))
	for i, oid := range oids {
		if oid == 0 || oid == value.OIDUnknown {
			continue
		}
		t, ok := value.TypeOf(oid)
		if !ok {
			return nil, query.Errorf(query.CodeFeatureNotSupported, "parameter $%d has type oid %d, which is not supported", i+1, oid)
		}
		hints[i] = t
	}
	stmt, err := ss.srv.cfg.Engine.Prepare(ss.ctx, ss.user, sql, hints)
	if err != nil {
		return nil, err
	}
	st := &prepared{Statement: stmt, sql: sql, oids: make([]uint32, len(stmt.Params))}
	for i, t := range stmt.Params {
		st.oids[i] = value.OID(t)
		if i < len(oids) && oids[i] != 0 && oids[i] != value.OIDUnknown {
			st.oids[i] = oids[i]
		}
	}
	return st, nil
}

func (ss *session) bind(m *pgproto3.Bind) error {
	st := ss.statements[m.PreparedStatement]
	if st == nil {
		return query.Errorf(query.CodeNoStatement, "prepared statement \"%s\" does not exist", m.PreparedStatement)
	}
	if err := ss.allowed(st); err != nil {
		return err
	}
	if m.DestinationPortal != "" && ss.portals[m.DestinationPortal] != nil {
		return query.Errorf(query.CodeDuplicateCursor, "portal \"%s\" already exists", m.DestinationPortal)
	}
	if len(ss.portals) >= maxPortals {
		return query.Errorf(query.CodeTooManyRows, "too many open portals")
	}
	if n := len(m.ParameterFormatCodes); n > 1 && n != len(m.Parameters) {
		return query.Errorf(query.CodeProtocolViolation, "bind message has %d parameter formats but %d parameters", n, len(m.Parameters))
	}
	if len(m.Parameters) != len(st.Params) {
		return query.Errorf(query.CodeProtocolViolation, "bind message supplies %d parameters, but prepared statement \"%s\" requires %d",
			len(m.Parameters), m.PreparedStatement, len(st.Params))
	}
	args := make([]*vec.Vector, len(m.Parameters))
	style := ss.style()
	for i, raw := range m.Parameters {
		format, err := formatAt(m.ParameterFormatCodes, i)
		if err != nil {
			return err
		}
		if args[i], err = readParam(raw, format, st.oids[i], st.Params[i], style); err != nil {
			e := *query.AsError(err)
			e.Detail = strings.TrimSpace(e.Detail + " Parameter $" + strconv.Itoa(i+1) + ".")
			return &e
		}
	}
	if n := len(m.ResultFormatCodes); n > 1 && n != len(st.Columns) {
		return query.Errorf(query.CodeProtocolViolation, "bind message has %d result formats but query has %d columns", n, len(st.Columns))
	}
	formats := make([]int16, len(st.Columns))
	for i := range formats {
		var err error
		if formats[i], err = formatAt(m.ResultFormatCodes, i); err != nil {
			return err
		}
	}
	ss.closePortal(m.DestinationPortal)
	ss.portals[m.DestinationPortal] = newPortal(st, args, formats)
	ss.out.send(&pgproto3.BindComplete{})
	return nil
}

// formatAt reads a list of format codes: none means text, one stands for all.
func formatAt(codes []int16, i int) (int16, error) {
	code := int16(pgproto3.TextFormat)
	switch {
	case len(codes) == 1:
		code = codes[0]
	case i < len(codes):
		code = codes[i]
	}
	if code != pgproto3.TextFormat && code != pgproto3.BinaryFormat {
		return 0, query.Errorf(query.CodeInvalidParameter, "unsupported format code: %d", code)
	}
	return code, nil
}

func (ss *session) describe(m *pgproto3.Describe) error {
	var st *prepared
	var formats []int16
	switch m.ObjectType {
	case 'S':
		if st = ss.statements[m.Name]; st == nil {
			return query.Errorf(query.CodeNoStatement, "prepared statement \"%s\" does not exist", m.Name)
		}
	case 'P':
		p := ss.portals[m.Name]
		if p == nil {
			return query.Errorf(query.CodeNoCursor, "portal \"%s\" does not exist", m.Name)
		}
		st, formats = p.st, p.formats
	default:
		return query.Errorf(query.CodeProtocolViolation, "invalid DESCRIBE message subtype %d", m.ObjectType)
	}
	if err := ss.allowed(st); err != nil && st.Columns != nil {
		return err
	}
	if m.ObjectType == 'S' {
		ss.out.send(&pgproto3.ParameterDescription{ParameterOIDs: st.oids})
	}
	if st.Columns == nil || st.copyOut != nil {
		ss.out.send(&pgproto3.NoData{})
		return nil
	}
	ss.out.rowDescription(st.Columns, formats)
	return nil
}

// run1 answers Execute.
func (ss *session) run1(m *pgproto3.Execute) error {
	p := ss.portals[m.Portal]
	if p == nil {
		return query.Errorf(query.CodeNoCursor, "portal \"%s\" does not exist", m.Portal)
	}
	if err := ss.allowed(p.st); err != nil {
		return err
	}
	_, err := ss.execute(p, int64(m.MaxRows))
	if err != nil {
		p.close()
	}
	return err
}
