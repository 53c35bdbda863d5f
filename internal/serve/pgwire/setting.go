package pgwire

import (
	"context"
	"strings"

	"myelin/internal/serve/query"
	"myelin/internal/vec"
)

// modeSetting is one transaction mode as the setting that it stands for.
type modeSetting struct{ name, value string }

// transactionModes reads ISOLATION LEVEL …, READ ONLY, READ WRITE and [NOT] DEFERRABLE up to the end.
func transactionModes(w *words) ([]modeSetting, error) {
	var modes []modeSetting
	for !w.done() {
		switch {
		case w.is("ISOLATION"):
			if !w.is("LEVEL") {
				return nil, syntaxAt(w)
			}
			var level string
			switch {
			case w.is("SERIALIZABLE"):
				level = "serializable"
			case w.is("REPEATABLE") && w.is("READ"):
				level = "repeatable read"
			case w.is("READ") && w.peek("COMMITTED"):
				w.next()
				level = "read committed"
			case w.is("UNCOMMITTED"):
				level = "read uncommitted"
			default:
				return nil, syntaxAt(w)
			}
			modes = append(modes, modeSetting{"transaction_isolation", level})
		case w.is("READ"):
			v := "on"
			if !w.is("ONLY") {
				if v = "off"; !w.is("WRITE") {
					return nil, syntaxAt(w)
				}
			}
			modes = append(modes, modeSetting{"transaction_read_only", v})
		case w.is("NOT"):
			if !w.is("DEFERRABLE") {
				return nil, syntaxAt(w)
			}
			modes = append(modes, modeSetting{"transaction_deferrable", "off"})
		case w.is("DEFERRABLE"):
			modes = append(modes, modeSetting{"transaction_deferrable", "on"})
		default:
			return nil, syntaxAt(w)
		}
		w.is(",")
	}
	return modes, nil
}

func (ss *session) setModes(modes []modeSetting, local bool) error {
	for _, m := range modes {
		if local {
			ss.rememberLocal(m.name)
		}
		if _, err := ss.user.Set(m.name, m.value); err != nil {
			return err
		}
	}
	return nil
}

// setCommand reads what follows SET.
func (ss *session) setCommand(w *words) (*prepared, error) {
	local := false
	switch {
	case w.is("LOCAL"):
		local = true
	case w.is("SESSION"):
		if w.is("CHARACTERISTICS") {
			if !w.is("AS") || !w.is("TRANSACTION") {
				return nil, syntaxAt(w)
			}
			modes, err := transactionModes(w)
			for i := range modes {
				modes[i].name = "default_" + modes[i].name
				if modes[i].name == "default_transaction_deferrable" {
					modes[i].name = "transaction_deferrable"
				}
			}
			return action(func() (string, error) { return "SET", ss.setModes(modes, false) }), err
		}
		if w.is("AUTHORIZATION") {
			return ss.roleCommand(w)
		}
	}
	switch {
	case w.is("TRANSACTION"):
		modes, err := transactionModes(w)
		return action(func() (string, error) {
			if ss.tx.state == txIdle {
				ss.out.notice("WARNING", query.CodeNoTransaction, "SET TRANSACTION can only be used in transaction blocks")
				return "SET", nil
			}
			return "SET", ss.setModes(modes, true)
		}), err
	case w.is("TIME"):
		if !w.is("ZONE") {
			return nil, syntaxAt(w)
		}
		return ss.assign("TimeZone", w, local)
	case w.is("NAMES"):
		return ss.assign("client_encoding", w, local)
	case w.is("ROLE"):
		return ss.roleCommand(w)
	}
	name := w.name()
	for name != "" && w.is(".") {
		name += "." + w.name()
	}
	if name == "" || !w.is("=") && !w.is("TO") {
		return nil, syntaxAt(w)
	}
	return ss.assign(name, w, local)
}

// roleCommand accepts only the role that the session already has.
func (ss *session) roleCommand(w *words) (*prepared, error) {
	role := lower(unquote(w.kind, w.text))
	if role != "none" && role != "default" && role != lower(ss.user.User) {
		return nil, query.Errorf("42501", "permission denied to set role \"%s\"", role)
	}
	return action(func() (string, error) { return "SET", nil }), nil
}

// assign reads the value of a setting, a list perhaps, and sets it when run.
func (ss *session) assign(name string, w *words, local bool) (*prepared, error) {
	var parts []string
	reset := false
	for {
		switch {
		case w.peek("DEFAULT") || w.peek("LOCAL"):
			reset = true
			w.next()
		case w.done():
			return nil, syntaxAt(w)
		default:
			w.is("INTERVAL") // SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE
			text := unquote(w.kind, w.text)
			sign := w.kind == tokSymbol && (text == "-" || text == "+")
			w.next()
			if sign {
				text += w.text
				w.next()
			}
			if w.is("HOUR") && w.is("TO") {
				w.is("MINUTE")
			}
			parts = append(parts, text)
		}
		if !w.is(",") {
			break
		}
	}
	if !w.done() {
		return nil, syntaxAt(w)
	}
	return action(func() (string, error) {
		if local {
			if ss.tx.state == txIdle {
				ss.out.notice("WARNING", query.CodeNoTransaction, "SET LOCAL can only be used in transaction blocks")
				return "SET", nil
			}
			ss.rememberLocal(name)
		}
		if reset {
			changed, err := ss.user.Reset(name)
			ss.reportAll(changed)
			return "SET", err
		}
		canonical, err := ss.user.Set(name, strings.Join(parts, ", "))
		if err == nil {
			ss.reportAll([]string{canonical})
		}
		return "SET", err
	}), nil
}

func (ss *session) resetCommand(w *words) (*prepared, error) {
	name := ""
	switch {
	case w.is("ALL"):
	case w.is("TIME") && w.is("ZONE"):
		name = "TimeZone"
	case w.is("ROLE"):
		return action(func() (string, error) { return "RESET", nil }), nil
	case w.is("SESSION") && w.is("AUTHORIZATION"):
		return action(func() (string, error) { return "RESET", nil }), nil
	default:
		name = w.name()
		for name != "" && w.is(".") {
			name += "." + w.name()
		}
		if name == "" {
			return nil, syntaxAt(w)
		}
	}
	if !w.done() {
		return nil, syntaxAt(w)
	}
	return action(func() (string, error) {
		changed, err := ss.user.Reset(name)
		ss.reportAll(changed)
		return "RESET", err
	}), nil
}

// listings are what SHOW lists, as kinds of pg_class.
var listings = map[string]string{"TABLES": "'r'", "VIEWS": "'m'", "SOURCES": "'v'", "STREAMS": "'v'"}

const listing = `SELECT n.nspname AS schema, c.relname AS name, pg_catalog.obj_description(c.oid, 'pg_class') AS description
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND c.relkind IN (`

func (ss *session) showCommand(w *words) (*prepared, error) {
	if kinds, ok := listings[strings.ToUpper(w.text)]; ok {
		w.next()
		if !w.done() {
			return nil, syntaxAt(w)
		}
		return ss.prepareQuery(listing+kinds+") ORDER BY 1, 2", nil)
	}
	name := ""
	switch {
	case w.is("ALL"):
		return ss.showAll(), nil
	case w.is("TIME"):
		if !w.is("ZONE") {
			return nil, syntaxAt(w)
		}
		name = "TimeZone"
	case w.is("TRANSACTION"):
		if !w.is("ISOLATION") || !w.is("LEVEL") {
			return nil, syntaxAt(w)
		}
		name = "transaction_isolation"
	case w.is("SESSION"):
		if !w.is("AUTHORIZATION") {
			return nil, syntaxAt(w)
		}
		name = "session_authorization"
	default:
		name = w.name()
		for name != "" && w.is(".") {
			name += "." + w.name()
		}
	}
	if name == "" || !w.done() {
		return nil, syntaxAt(w)
	}
	if _, err := ss.user.Show(name); err != nil {
		return nil, err
	}
	if s, ok := query.Settings[lower(name)]; ok {
		name = s.Name
	}
	return &prepared{Statement: &query.Statement{
		Columns: []query.Column{{Name: name, Type: vec.Type{Kind: vec.Text}}}, Tag: "SHOW",
		Run: func(context.Context, []*vec.Vector) (query.Rows, error) {
			v, err := ss.user.Show(name)
			if err != nil {
				return nil, err
			}
			return query.Static(&vec.Batch{Cols: []*vec.Vector{vec.TextOf(v)}, N: 1}), nil
		},
	}}, nil
}

func (ss *session) showAll() *prepared {
	text := vec.Type{Kind: vec.Text}
	return &prepared{Statement: &query.Statement{
		Columns: []query.Column{{Name: "name", Type: text}, {Name: "setting", Type: text}, {Name: "description", Type: text}},
		Tag:     "SHOW",
		Run: func(context.Context, []*vec.Vector) (query.Rows, error) {
			b := &vec.Batch{Cols: []*vec.Vector{vec.New(text, 0), vec.New(text, 0), vec.New(text, 0)}}
			for _, name := range query.SettingNames() {
				v, err := ss.user.Show(name)
				if err != nil {
					return nil, err
				}
				b.Cols[0].AppendString(name)
				b.Cols[1].AppendString(v)
				b.Cols[2].AppendString(query.Settings[lower(name)].Help)
				b.N++
			}
			return query.Static(b), nil
		},
	}}
}
