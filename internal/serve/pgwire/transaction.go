package pgwire

import (
	"context"

	"myelin/internal/serve/query"
	"myelin/internal/vec"
)

// txState is the transaction status as ReadyForQuery reports it.
type txState byte

const (
	txIdle   txState = 'I'
	txOpen   txState = 'T'
	txFailed txState = 'E'
)

// transaction is what a session remembers of the block it is in. Nothing is ever written, so that only settings and
// cursors have to be taken back.
type transaction struct {
	state txState
	// before are the settings at BEGIN, local the ones that SET LOCAL changed (with the values to go back to).
	before     map[string]string
	local      map[string]string
	localUnset map[string]bool
	savepoints []savepoint
}

type savepoint struct {
	name     string
	settings map[string]string
}

// maxSavepoints bounds what a client can pile up.
const maxSavepoints = 1000

func (ss *session) begin(tag string, modes []modeSetting) (string, error) {
	if ss.tx.state != txIdle {
		ss.out.notice("WARNING", query.CodeActiveTransaction, "there is already a transaction in progress")
		return tag, nil
	}
	ss.tx = transaction{state: txOpen, before: ss.user.Snapshot()}
	return tag, ss.setModes(modes, true)
}

// end closes the block; commit in a failed one rolls back, and the tag says so.
func (ss *session) end(commit bool, tag string) (string, error) {
	if ss.tx.state == txIdle {
		ss.out.notice("WARNING", query.CodeNoTransaction, "there is no transaction in progress")
		return tag, nil
	}
	if ss.tx.state == txFailed {
		commit, tag = false, "ROLLBACK"
	}
	back := ss.tx.before
	if commit {
		back = ss.user.Snapshot()
		for key, v := range ss.tx.local {
			back[key] = v
		}
		for key := range ss.tx.localUnset {
			delete(back, key)
		}
	}
	ss.reportAll(ss.user.Restore(back))
	for name, p := range ss.portals {
		if !commit || !p.hold {
			ss.closePortal(name)
		}
	}
	ss.tx = transaction{state: txIdle}
	return tag, nil
}

// rememberLocal keeps the present value of a setting, to be brought back when the block ends.
func (ss *session) rememberLocal(name string) {
	key := lower(name)
	if ss.tx.local == nil {
		ss.tx.local, ss.tx.localUnset = map[string]string{}, map[string]bool{}
	}
	if _, ok := ss.tx.local[key]; ok || ss.tx.localUnset[key] {
		return
	}
	if v, ok := ss.user.Snapshot()[key]; ok {
		ss.tx.local[key] = v
		return
	}
	ss.tx.localUnset[key] = true
}

func (ss *session) savepoint(name string) error {
	if ss.tx.state == txIdle {
		return query.Errorf(query.CodeNoTransaction, "SAVEPOINT can only be used in transaction blocks")
	}
	if len(ss.tx.savepoints) >= maxSavepoints {
		return query.Errorf(query.CodeTooManyRows, "too many savepoints")
	}
	ss.tx.savepoints = append(ss.tx.savepoints, savepoint{name, ss.user.Snapshot()})
	return nil
}

// toSavepoint goes back to a savepoint (keeping it) or, with release, forgets it and those after it.
func (ss *session) toSavepoint(name string, release bool) error {
	if ss.tx.state == txIdle {
		what := "ROLLBACK TO SAVEPOINT"
		if release {
			what = "RELEASE SAVEPOINT"
		}
		return query.Errorf(query.CodeNoTransaction, "%s can only be used in transaction blocks", what)
	}
	for i := len(ss.tx.savepoints) - 1; i >= 0; i-- {
		sp := ss.tx.savepoints[i]
		if sp.name != name {
			continue
		}
		if release {
			ss.tx.savepoints = ss.tx.savepoints[:i]
			return nil
		}
		ss.tx.savepoints = ss.tx.savepoints[:i+1]
		ss.tx.state = txOpen
		ss.reportAll(ss.user.Restore(sp.settings))
		return nil
	}
	return query.Errorf(query.CodeNoSavepoint, "savepoint \"%s\" does not exist", name)
}

// outcome is the answer of a session command: a tag, known only once it has run, and perhaps rows.
type outcome struct {
	query.Rows
	tag string
}

// CommandTag implements tagged.
func (o outcome) CommandTag() string { return o.tag }

// action is a command without rows; do returns its tag.
func action(do func() (string, error)) *prepared {
	return &prepared{Statement: &query.Statement{Run: func(context.Context, []*vec.Vector) (query.Rows, error) {
		tag, err := do()
		if err != nil {
			return nil, err
		}
		return outcome{query.Static(), tag}, nil
	}}}
}
