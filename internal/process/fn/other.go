package fn

import (
	"crypto/rand"
	"errors"

	"myelin/internal/vec"
)

func otherFuncs() []Func {
	uuid := def("gen_random_uuid", vec.UUID, rows(func(c *cx, i int) {
		var b [16]byte
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
		c.out.SetBytes(i, b[:])
	}), "a random UUID; not in views", "gen_random_uuid()")
	uuid.Volatile = true
	fixed := func(name, value, help string) Func {
		return def(name, vec.Text, rows(func(c *cx, i int) { c.out.SetString(i, value) }), help, name+"()")
	}
	return []Func{
		uuid,
		{Name: "num_nulls", Args: []vec.Kind{Any}, Variadic: true, Return: returns(vec.Int32), Eval: countNulls(true), Help: "number of arguments that are NULL", Example: "num_nulls(1, NULL, 2)"},
		{Name: "num_nonnulls", Args: []vec.Kind{Any}, Variadic: true, Return: returns(vec.Int32), Eval: countNulls(false), Help: "number of arguments that are not NULL", Example: "num_nonnulls(1, NULL, 2)"},
		{Name: "only_row", Args: []vec.Kind{vec.Int64, AnyElement}, Return: func(a []vec.Type) vec.Type { return a[1] }, Eval: rows(func(c *cx, i int) {
			if c.int(0, i) > 1 {
				c.fail(i, errors.New("more than one row returned by a subquery used as an expression"))
				return
			}
			c.out.CopyRow(i, c.args[1], c.at(1, i))
		})},
		fixed("current_database", "myelin", "name of the database"), op("current_catalog", vec.Text, rows(func(c *cx, i int) { c.out.SetString(i, "myelin") })),
		fixed("version", "PostgreSQL 15.0 (Myelin)", "version of the server, as PostgreSQL's clients expect it"),
		{Name: "pg_typeof", Args: []vec.Kind{Any}, Return: returns(vec.Text), Help: "name of a value's type", Example: "pg_typeof(1)", Eval: rows(func(c *cx, i int) { c.out.SetString(i, c.args[0].Type.SQLName()) })},
	}
}

func countNulls(null bool) Kernel {
	return rows(func(c *cx, i int) {
		n := int64(0)
		for k := range c.args {
			if c.null(k, i) == null {
				n++
			}
		}
		c.setInt(i, n)
	})
}
