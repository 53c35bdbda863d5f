package query

import (
	"myelin/internal/process/fn"
	"myelin/internal/vec"
)

// SessionFunctions are the functions about the session that queries over views may call too; the system catalog answers
// them where a query reads no view.
var SessionFunctions = map[string]bool{
	"version": true, "current_database": true, "current_catalog": true, "current_schema": true, "current_user": true, "session_user": true,
	"current_role": true, "user": true, "pg_backend_pid": true, "current_setting": true,
}

// Version is what version() answers and SHOW server_version is part of.
func Version() string {
	return "PostgreSQL " + ServerVersion + " on " + platform + ", compiled by Go, 64-bit"
}

// functions gives the planner the session's functions.
func functions(s *Session, more func(string) []*fn.Func) func(name string) []*fn.Func {
	text := func(name, value string) []*fn.Func { return []*fn.Func{fixed(name, vec.TextOf(value))} }
	return func(name string) []*fn.Func {
		switch name {
		case "version":
			return text(name, Version())
		case "current_database", "current_catalog":
			return text(name, s.Database)
		case "current_schema":
			return text(name, "public")
		case "current_user", "session_user", "current_role", "user":
			return text(name, s.User)
		case "pg_backend_pid":
			return []*fn.Func{fixed(name, vec.IntOf(vec.Int32, int64(s.PID)))}
		case "current_setting":
			return []*fn.Func{setting(s)}
		}
		if more != nil {
			return more(name)
		}
		return nil
	}
}

// fixed is a function without arguments.
func fixed(name string, value *vec.Vector) *fn.Func {
	return &fn.Func{Name: name, Return: func([]vec.Type) vec.Type { return value.Type },
		Eval: func(_ *fn.Env, _ []*vec.Vector, sel []int32, n int, out *vec.Vector) {
			each(sel, n, func(i int) { out.CopyRow(i, value, 0) })
		}}
}

func setting(s *Session) *fn.Func {
	return &fn.Func{Name: "current_setting", Args: []vec.Kind{vec.Text}, Strict: true, Return: func([]vec.Type) vec.Type { return vec.Of(vec.Text) },
		Eval: func(env *fn.Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
			each(sel, n, func(i int) {
				at := i
				if args[0].Len() == 1 {
					at = 0
				}
				v, err := s.Show(string(args[0].Bytes(at)))
				if err != nil {
					env.Fail(i, err)
					out.SetNull(i)
					return
				}
				out.SetString(i, v)
			})
		}}
}

func each(sel []int32, n int, f func(i int)) {
	if sel == nil {
		for i := range n {
			f(i)
		}
		return
	}
	for _, i := range sel {
		f(int(i))
	}
}
