package plan

import (
	"myelin/internal/process/fn"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// asOfNow reports whether FOR SYSTEM_TIME AS OF means the present: the table is then read as it is.
func asOfNow(e sql.Expr) bool {
	c, ok := e.(*sql.Call)
	if !ok {
		return false
	}
	switch functionName(c.Name) {
	case "now", "proctime", "current_timestamp":
		return len(c.Args) == 0
	}
	return false
}

// temporalJoin binds a JOIN r FOR SYSTEM_TIME AS OF a.ts ON …: of the rows of r with equal keys, the one that was in force at a.ts.
func (b *binder) temporalJoin(t *sql.JoinRef, on left, outer *scope) (Node, []scopeCol) {
	ref := *t.R.(*sql.TableRef)
	at := ref.AsOf
	ref.AsOf = nil
	kind := joinKinds[t.Kind]
	if kind != Inner && kind != Left || t.Natural {
		b.fail(at.Pos(), sql.CodeNotSupported, "use JOIN … ON or LEFT JOIN … ON", "FOR SYSTEM_TIME AS OF belongs to the right side of an inner or left join")
	}
	plain := *t
	plain.R = &ref
	n, cols := b.join(&plain, on, outer)
	j, ok := n.(*Join)
	if !ok || len(j.LeftKeys) == 0 {
		b.fail(at.Pos(), sql.CodeNotSupported, "compare a column of each side by = in ON", "FOR SYSTEM_TIME AS OF needs equal keys")
	}
	time := j.Right.Props().TimeCol
	if time < 0 {
		b.fail(at.Pos(), sql.CodeNotSupported,
			"declare WATERMARK FOR its time column, or write FOR SYSTEM_TIME AS OF now() to join it as it is when the row comes",
			"%q has no time column that says from when its rows hold", ref.Name)
	}
	want := j.Right.Schema()[time].Type
	e := b.expr0(at, &env{scope: &scope{cols: on.cols, outer: outer}, clause: "FOR SYSTEM_TIME AS OF"})
	j.AsOf = &AsOf{At: b.coerce(e, vec.Of(want.Kind), fn.ImplicitCast, at.Pos()), Time: time}
	return j, cols
}
