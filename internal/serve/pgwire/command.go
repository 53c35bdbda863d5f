package pgwire

import (
	"context"
	"strings"

	"myelin/internal/serve/query"
	"myelin/internal/vec"
)

// command reads the statements that the session itself answers; nil where sql is a query for the engine.
func (ss *session) command(sql string) (*prepared, error) {
	w := newWords(sql)
	verb := strings.ToUpper(w.text)
	if w.kind != tokWord {
		return nil, nil
	}
	st, err := ss.commandOf(verb, w, sql)
	if err != nil || st == nil {
		return nil, err
	}
	st.sql = sql
	return st, nil
}

func (ss *session) commandOf(verb string, w *words, sql string) (*prepared, error) {
	switch verb {
	case "SET":
		w.next()
		return ss.setCommand(w)
	case "RESET":
		w.next()
		return ss.resetCommand(w)
	case "SHOW":
		w.next()
		return ss.showCommand(w)
	case "BEGIN", "START":
		w.next()
		tag := "BEGIN"
		if verb == "START" {
			tag = "START TRANSACTION"
			if !w.peek("TRANSACTION") {
				return nil, syntaxAt(w)
			}
		}
		_ = w.is("WORK") || w.is("TRANSACTION")
		modes, err := transactionModes(w)
		if err != nil {
			return nil, err
		}
		return action(func() (string, error) { return ss.begin(tag, modes) }), nil
	case "COMMIT", "END", "ROLLBACK", "ABORT":
		w.next()
		return ss.endCommand(verb, w)
	case "SAVEPOINT", "RELEASE":
		w.next()
		if verb == "RELEASE" {
			w.is("SAVEPOINT")
		}
		name := w.name()
		if name == "" || !w.done() {
			return nil, syntaxAt(w)
		}
		return action(func() (string, error) {
			if verb == "SAVEPOINT" {
				return verb, ss.savepoint(name)
			}
			return verb, ss.toSavepoint(name, true)
		}), nil
	case "DISCARD":
		w.next()
		return ss.discardCommand(w)
	case "DEALLOCATE":
		w.next()
		return ss.deallocateCommand(w)
	case "PREPARE":
		w.next()
		return ss.prepareCommand(w)
	case "EXECUTE":
		w.next()
		return ss.executeCommand(w)
	case "DECLARE", "FETCH", "MOVE", "CLOSE":
		w.next()
		return ss.cursorCommand(verb, w)
	case "COPY":
		w.next()
		return ss.copyCommand(w, sql)
	case "UNLISTEN":
		return action(func() (string, error) { return verb, nil }), nil
	case "LISTEN", "NOTIFY":
		return nil, &query.Error{Code: query.CodeFeatureNotSupported, Message: verb + " is not supported",
			Hint: "Live changes of a view come over HTTP: GET /api/views/{name}/live."}
	}
	return nil, nil
}

// syntaxAt is PostgreSQL's complaint about the present word.
func syntaxAt(w *words) error {
	if w.done() {
		return &query.Error{Code: query.CodeSyntax, Message: "syntax error at end of input", Position: len(w.s) + 1}
	}
	return &query.Error{Code: query.CodeSyntax, Message: "syntax error at or near \"" + w.text + "\"", Position: w.i - len(w.text) + 1}
}

func (ss *session) endCommand(verb string, w *words) (*prepared, error) {
	_ = w.is("WORK") || w.is("TRANSACTION")
	if w.is("TO") {
		w.is("SAVEPOINT")
		name := w.name()
		if name == "" || verb != "ROLLBACK" || !w.done() {
			return nil, syntaxAt(w)
		}
		st := action(func() (string, error) { return "ROLLBACK", ss.toSavepoint(name, false) })
		st.ends = true
		return st, nil
	}
	if w.is("AND") { // AND NO CHAIN is the default, AND CHAIN would begin anew
		if !w.is("NO") {
			return nil, query.Errorf(query.CodeFeatureNotSupported, "AND CHAIN is not supported")
		}
		w.is("CHAIN")
	}
	if !w.done() {
		return nil, syntaxAt(w)
	}
	commit, tag := verb == "COMMIT" || verb == "END", "ROLLBACK"
	if commit {
		tag = "COMMIT"
	}
	st := action(func() (string, error) { return ss.end(commit, tag) })
	st.ends = true
	return st, nil
}

func (ss *session) discardCommand(w *words) (*prepared, error) {
	what := strings.ToUpper(w.text)
	w.next()
	if !w.done() {
		return nil, syntaxAt(w)
	}
	switch what {
	case "PLANS", "SEQUENCES", "TEMP", "TEMPORARY":
		return action(func() (string, error) { return "DISCARD " + what, nil }), nil
	case "ALL":
		return action(func() (string, error) {
			if ss.tx.state != txIdle {
				return "", query.Errorf(query.CodeActiveTransaction, "DISCARD ALL cannot run inside a transaction block")
			}
			ss.dropPortals(true)
			clear(ss.statements)
			changed, err := ss.user.Reset("")
			ss.reportAll(changed)
			return "DISCARD ALL", err
		}), nil
	}
	return nil, query.Errorf(query.CodeSyntax, "syntax error at or near \"%s\"", what)
}

func (ss *session) deallocateCommand(w *words) (*prepared, error) {
	w.is("PREPARE")
	if w.peek("ALL") {
		return action(func() (string, error) {
			clear(ss.statements)
			return "DEALLOCATE ALL", nil
		}), nil
	}
	name := w.name()
	if name == "" || !w.done() {
		return nil, syntaxAt(w)
	}
	return action(func() (string, error) {
		if ss.statements[name] == nil {
			return "", query.Errorf(query.CodeNoStatement, "prepared statement \"%s\" does not exist", name)
		}
		delete(ss.statements, name)
		return "DEALLOCATE", nil
	}), nil
}

// prepareCommand is PREPARE name [(type, …)] AS query.
func (ss *session) prepareCommand(w *words) (*prepared, error) {
	name := w.name()
	if name == "" {
		return nil, syntaxAt(w)
	}
	var oids []uint32
	if w.is("(") {
		for !w.is(")") {
			if w.done() {
				return nil, syntaxAt(w)
			}
			text := ""
			for depth := 0; !w.done() && (depth > 0 || w.text != "," && w.text != ")"); w.next() {
				switch w.text {
				case "(":
					depth++
				case ")":
					depth--
				}
				text += " " + lower(w.text)
			}
			oid, ok := typeOID(strings.TrimSpace(text))
			if !ok {
				return nil, query.Errorf(query.CodeUndefinedObject, "type \"%s\" does not exist", strings.TrimSpace(text))
			}
			oids = append(oids, oid)
			w.is(",")
		}
	}
	if !w.is("AS") {
		return nil, syntaxAt(w)
	}
	_, at := w.rest()
	inner := strings.Repeat(" ", at) + w.s[at:]
	return action(func() (string, error) {
		if ss.statements[name] != nil {
			return "", query.Errorf(query.CodeDuplicateStatement, "prepared statement \"%s\" already exists", name)
		}
		if len(ss.statements) >= maxStatements {
			return "", query.Errorf(query.CodeTooManyRows, "too many prepared statements")
		}
		st, err := ss.prepareQuery(inner, oids)
		if err != nil {
			return "", err
		}
		ss.statements[name] = st
		return "PREPARE", nil
	}), nil
}

// executeCommand is EXECUTE name [(literal, …)].
func (ss *session) executeCommand(w *words) (*prepared, error) {
	name := w.name()
	if name == "" {
		return nil, syntaxAt(w)
	}
	st := ss.statements[name]
	if st == nil {
		return nil, query.Errorf(query.CodeNoStatement, "prepared statement \"%s\" does not exist", name)
	}
	var args []*vec.Vector
	if w.is("(") {
		for !w.is(")") {
			raw, err := literal(w)
			if err != nil {
				return nil, err
			}
			if len(args) == len(st.Params) {
				return nil, query.Errorf(query.CodeSyntax, "wrong number of parameters for prepared statement \"%s\"", name)
			}
			arg, err := readParam(raw, 0, st.oids[len(args)], st.Params[len(args)], ss.style())
			if err != nil {
				return nil, err
			}
			args = append(args, arg)
			if !w.is(",") && w.text != ")" {
				return nil, syntaxAt(w)
			}
		}
	}
	if len(args) != len(st.Params) {
		return nil, query.Errorf(query.CodeSyntax, "wrong number of parameters for prepared statement \"%s\"", name)
	}
	bound := *st.Statement
	bound.Params = nil
	bound.Run = func(ctx context.Context, _ []*vec.Vector) (query.Rows, error) { return st.Run(ctx, args) }
	return &prepared{Statement: &bound}, nil
}

// literal takes a constant; nil is NULL.
func literal(w *words) ([]byte, error) {
	sign := ""
	if w.text == "-" || w.text == "+" {
		sign = w.text
		w.next()
	}
	kind, text := w.kind, w.text
	switch {
	case kind == tokNumber, kind == tokString && sign == "":
		w.next()
		return []byte(sign + unquote(kind, text)), nil
	case kind == tokWord && sign == "" && strings.EqualFold(text, "null"):
		w.next()
		return nil, nil
	case kind == tokWord && sign == "" && (strings.EqualFold(text, "true") || strings.EqualFold(text, "false")):
		w.next()
		return []byte(lower(text)), nil
	}
	return nil, &query.Error{Code: query.CodeFeatureNotSupported, Message: "only constants can be parameters of EXECUTE",
		Position: w.i - len(w.text) + 1}
}
