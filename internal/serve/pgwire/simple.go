package pgwire

import (
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"myelin/internal/serve/query"
)

func lower(s string) string { return strings.ToLower(s) }

// simple answers a Query message: each statement of the script in turn, up to the first error.
func (ss *session) simple(script string) {
	ss.closePortal("")
	delete(ss.statements, "")
	pieces := split(script)
	if len(pieces) == 0 {
		ss.out.send(&pgproto3.EmptyQueryResponse{})
		return
	}
	for _, p := range pieces {
		if err := ss.simpleOne(p.text); err != nil {
			ss.fail(err, script, p.at)
			break
		}
	}
	ss.endImplicit()
}

func (ss *session) simpleOne(text string) error {
	st, err := ss.prepare(text, nil)
	if err != nil {
		return err
	}
	if err := ss.allowed(st); err != nil {
		return err
	}
	if len(st.Params) > 0 {
		return query.Errorf(query.CodeUndefinedParameter, "there is no parameter $1")
	}
	p := newPortal(st, nil, nil)
	defer p.close()
	if st.Columns != nil && st.copyOut == nil {
		ss.out.rowDescription(st.Columns, nil)
	}
	_, err = ss.execute(p, 0)
	return err
}

// allowed refuses everything but the end of a transaction that has failed.
func (ss *session) allowed(st *prepared) error {
	if ss.tx.state == txFailed && !st.ends {
		return &query.Error{Code: query.CodeFailedTransaction,
			Message: "current transaction is aborted, commands ignored until end of transaction block",
			Hint:    "Send ROLLBACK."}
	}
	return nil
}

// endImplicit ends what lives no longer than a transaction, where none is open.
func (ss *session) endImplicit() {
	if ss.tx.state == txIdle {
		ss.dropPortals(false)
	}
}

// dropPortals closes the portals that end with the transaction, or all.
func (ss *session) dropPortals(all bool) {
	for name, p := range ss.portals {
		if all || !p.hold {
			ss.closePortal(name)
		}
	}
}

func (ss *session) closePortal(name string) {
	if p := ss.portals[name]; p != nil {
		p.close()
		delete(ss.portals, name)
	}
}
