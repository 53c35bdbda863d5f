package fn

import (
	"errors"
	"strings"

	"myelin/internal/vec"
	"myelin/internal/vec/jsonb"
)

// SetFunc is one overload of a function that gives rows: it stands in FROM or in the select list.
type SetFunc struct {
	Name string
	Args []vec.Kind
	// Columns are the names and types of what it gives. A column without a name is called as the function, or its alias.
	Columns func(args []vec.Type) []SetColumn
	// Rows appends what row i of the arguments gives to out, one vector per column, all equally long afterwards. args are as long as
	// the batch, or of length 1 for constants. No argument is NULL in the row. It fails rather than give more than limit rows. The
	// caller drops what a failed call has appended.
	Rows func(env *Env, args []*vec.Vector, i int, limit int, out []*vec.Vector) error
	// Stable is as in Func.
	Stable        bool
	Help, Example string
}

// SetColumn is a column of a set-returning function.
type SetColumn struct {
	Name    string
	Type    vec.Type
	NotNull bool
}

// ErrManyRows is the error of a set-returning function that gives more rows than anybody takes of one call.
var ErrManyRows = errors.New("the function gives too many rows")

// setRow is what the body of a set-returning function sees: one row of arguments.
type setRow struct {
	cx
	i     int
	left  int
	out   []*vec.Vector
	stuck error
}

// more counts a row; it is false if there are too many, or nobody wants them any more.
func (r *setRow) more() bool {
	if r.left--; r.left < 0 {
		r.stuck = ErrManyRows
	}
	return r.left >= 0 && !r.env.Worked(1)
}

func setOf(f func(r *setRow) error) func(*Env, []*vec.Vector, int, int, []*vec.Vector) error {
	return func(env *Env, args []*vec.Vector, i, limit int, out []*vec.Vector) error {
		r := &setRow{cx: cx{env: env, args: args}, i: i, left: limit, out: out}
		for k, a := range args {
			r.step[k] = stride(a)
		}
		if err := f(r); err != nil {
			return err
		}
		return r.stuck
	}
}

func oneColumn(name string, k vec.Kind) func([]vec.Type) []SetColumn {
	return func([]vec.Type) []SetColumn { return []SetColumn{{name, vec.Of(k), k != vec.JSONB && name == ""}} }
}

var sets = func() []SetFunc {
	j, t, n, big := vec.JSONB, vec.Text, vec.Int32, vec.Int64
	pair := func(value vec.Kind) func([]vec.Type) []SetColumn {
		return func([]vec.Type) []SetColumn {
			return []SetColumn{{"key", vec.Of(t), true}, {"value", vec.Of(value), value == j}}
		}
	}
	out := []SetFunc{
		{Name: "unnest", Args: []vec.Kind{AnyArray}, Columns: func(a []vec.Type) []SetColumn { return []SetColumn{{"", vec.Of(a[0].Elem), false}} },
			Rows: setOf(unnest), Help: "the elements of an array, one a row", Example: "unnest(ARRAY['a','b'])"},
		{Name: "generate_series", Args: []vec.Kind{n, n}, Columns: oneColumn("", n), Rows: setOf(seriesInt), Help: "numbers, or times, from one to the other in steps", Example: "generate_series(1, 10, 2)"},
		{Name: "generate_series", Args: []vec.Kind{n, n, n}, Columns: oneColumn("", n), Rows: setOf(seriesInt)},
		{Name: "generate_series", Args: []vec.Kind{big, big}, Columns: oneColumn("", big), Rows: setOf(seriesInt)},
		{Name: "generate_series", Args: []vec.Kind{big, big, big}, Columns: oneColumn("", big), Rows: setOf(seriesInt)},
		{Name: "generate_series", Args: []vec.Kind{vec.Numeric, vec.Numeric}, Columns: oneColumn("", vec.Numeric), Rows: setOf(seriesDecimal)},
		{Name: "generate_series", Args: []vec.Kind{vec.Numeric, vec.Numeric, vec.Numeric}, Columns: oneColumn("", vec.Numeric), Rows: setOf(seriesDecimal)},
		{Name: "generate_series", Args: []vec.Kind{vec.Timestamp, vec.Timestamp, vec.Interval}, Columns: oneColumn("", vec.Timestamp), Rows: setOf(seriesTime)},
		{Name: "generate_series", Args: []vec.Kind{vec.Timestamptz, vec.Timestamptz, vec.Interval}, Columns: oneColumn("", vec.Timestamptz), Rows: setOf(seriesTime), Stable: true},
		{Name: "generate_subscripts", Args: []vec.Kind{AnyArray, n}, Columns: oneColumn("", n), Rows: setOf(subscripts), Help: "the positions of an array's elements", Example: "generate_subscripts(ARRAY['a','b'], 1)"},
		{Name: "jsonb_array_elements", Args: []vec.Kind{j}, Columns: oneColumn("value", j), Rows: setOf(jsonElements(false)), Help: "the elements of a JSON array", Example: "jsonb_array_elements('[1, true]')"},
		{Name: "jsonb_array_elements_text", Args: []vec.Kind{j}, Columns: oneColumn("value", t), Rows: setOf(jsonElements(true)), Help: "the elements of a JSON array as text", Example: "jsonb_array_elements_text('[\"a\", 1]')"},
		{Name: "jsonb_each", Args: []vec.Kind{j}, Columns: pair(j), Rows: setOf(jsonEach(false)), Help: "the members of a JSON object: key and value", Example: "jsonb_each('{\"a\": 1}')"},
		{Name: "jsonb_each_text", Args: []vec.Kind{j}, Columns: pair(t), Rows: setOf(jsonEach(true)), Help: "the members of a JSON object, values as text", Example: "jsonb_each_text('{\"a\": 1}')"},
		{Name: "jsonb_object_keys", Args: []vec.Kind{j}, Columns: oneColumn("", t), Rows: setOf(jsonKeys), Help: "the keys of a JSON object", Example: "jsonb_object_keys('{\"a\": 1}')"},
		{Name: "regexp_matches", Args: []vec.Kind{t, t}, Columns: textArray, Rows: setOf(regexpMatches), Help: "the groups of the first match, with flag g of every match", Example: "regexp_matches('a1b2', '([a-z])\\d', 'g')"},
		{Name: "regexp_matches", Args: []vec.Kind{t, t, t}, Columns: textArray, Rows: setOf(regexpMatches)},
		{Name: "regexp_split_to_table", Args: []vec.Kind{t, t}, Columns: oneColumn("", t), Rows: setOf(regexpSplitRows), Help: "the parts between the matches", Example: "regexp_split_to_table('a, b', ',\\s*')"},
		{Name: "regexp_split_to_table", Args: []vec.Kind{t, t, t}, Columns: oneColumn("", t), Rows: setOf(regexpSplitRows)},
		{Name: "string_to_table", Args: []vec.Kind{t, t}, Columns: nullableText, Rows: setOf(stringRows), Help: "the parts between separators", Example: "string_to_table('a,b', ',')"},
		{Name: "string_to_table", Args: []vec.Kind{t, t, t}, Columns: nullableText, Rows: setOf(stringRows)},
	}
	for _, f := range out { // the json spellings
		if strings.HasPrefix(f.Name, "jsonb_") {
			f.Name = "json_" + f.Name[6:]
			f.Help, f.Example = "", ""
			out = append(out, f)
		}
	}
	return out
}()

func textArray([]vec.Type) []SetColumn { return []SetColumn{{"", vec.ArrayOf(vec.Text), true}} }

func nullableText([]vec.Type) []SetColumn { return []SetColumn{{"", vec.Of(vec.Text), false}} }

// Sets returns all set-returning functions, for the reference.
func Sets() []SetFunc { return append([]SetFunc(nil), sets...) }

// SetNames returns the names of all set-returning functions.
func SetNames() []string {
	var out []string
	for _, f := range sets {
		if len(out) == 0 || out[len(out)-1] != f.Name {
			out = append(out, f.Name)
		}
	}
	return out
}

// IsSet reports whether a name is a set-returning function.
func IsSet(name string) bool {
	for i := range sets {
		if sets[i].Name == name {
			return true
		}
	}
	return false
}

// Signature prints the function with the types of its arguments.
func (f *SetFunc) Signature() string { return (&Func{Name: f.Name, Args: f.Args}).Signature() }

// ResolveSet chooses the overload of a set-returning function and the types that its arguments must have.
func ResolveSet(name string, args []vec.Type) (f *SetFunc, types []vec.Type, ambiguous bool) {
	var cands []*Func
	byFunc := map[*Func]*SetFunc{}
	for i := range sets {
		if sets[i].Name != name {
			continue
		}
		c := &Func{Name: name, Args: sets[i].Args}
		if c.takes(len(args)) && c.accepts(args) {
			cands = append(cands, c)
			byFunc[c] = &sets[i]
		}
	}
	c, ambiguous := choose(cands, args)
	if c == nil {
		return nil, nil, ambiguous
	}
	return byFunc[c], c.argTypes(args), false
}

func unnest(r *setRow) error {
	s := r.span(0, r.i)
	for e := int(s.Off); e < int(s.Off+s.Len) && r.more(); e++ {
		r.out[0].Append(r.args[0].Elem, e)
	}
	return nil
}

func subscripts(r *setRow) error {
	if r.int(1, r.i) != 1 {
		return nil
	}
	for e := uint32(1); e <= r.span(0, r.i).Len && r.more(); e++ {
		r.out[0].AppendInt(int64(e))
	}
	return nil
}

var errStepZero = errors.New("step size cannot equal zero")

func seriesInt(r *setRow) error {
	step := int64(1)
	if len(r.args) > 2 {
		step = r.int(2, r.i)
	}
	if step == 0 {
		return errStepZero
	}
	end := r.int(1, r.i)
	for v := r.int(0, r.i); (step > 0 && v <= end || step < 0 && v >= end) && r.more(); {
		r.out[0].AppendInt(v)
		next := v + step
		if (next > v) != (step > 0) { // past the range of the type
			break
		}
		v = next
	}
	return nil
}

func seriesDecimal(r *setRow) error {
	step := vec.DecimalFromInt(1)
	if len(r.args) > 2 {
		step = r.dec(2, r.i)
	}
	v, end := r.dec(0, r.i), r.dec(1, r.i)
	zero := vec.DecimalFromInt(0)
	dir := step.Cmp(zero)
	if dir == 0 {
		return errStepZero
	}
	for v.Cmp(end) != dir && r.more() {
		r.out[0].AppendDecimal(v)
		next, err := v.Add(step)
		if err != nil {
			return err
		}
		v = next
	}
	return nil
}

func seriesTime(r *setRow) error {
	step, end := r.interval(2, r.i), r.int(1, r.i)
	dir := step.Approx()
	if dir == 0 {
		return errStepZero
	}
	for v := r.int(0, r.i); (dir > 0 && v <= end || dir < 0 && v >= end) && r.more(); {
		r.out[0].AppendInt(v)
		next, ok := vec.AddInterval(v, step)
		if r.args[0].Type.Kind == vec.Timestamptz {
			next, ok = addLocal(&r.cx, v, step)
		}
		if !ok || (next > v) != (dir > 0) {
			return errTimeRange
		}
		v = next
	}
	return nil
}

func jsonElements(asText bool) func(r *setRow) error {
	return func(r *setRow) error {
		b := r.bytes(0, r.i)
		switch jsonb.KindOf(b) {
		case jsonb.Array:
		case jsonb.Object:
			return errors.New("cannot extract elements from an object")
		default:
			return errors.New("cannot extract elements from a scalar")
		}
		for e := range jsonb.Elements(b) {
			if !r.more() {
				return nil
			}
			appendJSON(r.out[0], e, asText)
		}
		return nil
	}
}

// appendJSON appends a JSON value as it is, or as text, where null is NULL.
func appendJSON(v *vec.Vector, b []byte, asText bool) {
	switch {
	case !asText:
		v.AppendBytes(jsonb.AppendJSON(nil, b))
	case jsonb.KindOf(b) == jsonb.Null:
		v.AppendNull()
	default:
		v.AppendBytes(jsonb.AppendText(nil, b))
	}
}

// jsonObject lists the members as PostgreSQL stores them: sorted, the last of duplicates.
func jsonObject(r *setRow, f func(key, value []byte)) error {
	b := r.bytes(0, r.i)
	if k := jsonb.KindOf(b); k != jsonb.Object {
		return errors.New("cannot take the members of a JSON value that is no object")
	}
	for k, v := range jsonb.Members(jsonb.AppendJSON(nil, b)) {
		if !r.more() {
			return nil
		}
		f(jsonb.AppendUnquoted(nil, k), v)
	}
	return nil
}

func jsonEach(asText bool) func(r *setRow) error {
	return func(r *setRow) error {
		return jsonObject(r, func(key, value []byte) {
			r.out[0].AppendBytes(key)
			appendJSON(r.out[1], value, asText)
		})
	}
}

func jsonKeys(r *setRow) error {
	return jsonObject(r, func(key, _ []byte) { r.out[0].AppendBytes(key) })
}

// setRegexp compiles argument 1 with the flags of argument 2.
func setRegexp(r *setRow) (re *expression, all bool, err error) {
	flags := ""
	if len(r.args) > 2 {
		flags = r.str(2, r.i)
	}
	re, err = compile(r.str(1, r.i), strings.ReplaceAll(flags, "g", ""))
	return re, strings.Contains(flags, "g"), err
}

func regexpMatches(r *setRow) error {
	re, all, err := setRegexp(r)
	if err != nil {
		return err
	}
	n := 1
	if all {
		n = -1
	}
	s := r.bytes(0, r.i)
	for _, m := range re.FindAllSubmatchIndex(s, n) {
		if !r.more() {
			return nil
		}
		start := r.out[0].Elem.Len()
		groups := m[2:]
		if len(groups) == 0 {
			groups = m
		}
		for g := 0; g+1 < len(groups); g += 2 {
			if groups[g] < 0 {
				r.out[0].Elem.AppendNull()
				continue
			}
			r.out[0].Elem.AppendBytes(s[groups[g]:groups[g+1]])
		}
		r.out[0].CloseArray(start)
	}
	return nil
}

func regexpSplitRows(r *setRow) error {
	re, _, err := setRegexp(r)
	if err != nil {
		return err
	}
	for _, part := range splitRegexp(re, r.str(0, r.i)) {
		if !r.more() {
			return nil
		}
		r.out[0].AppendString(part)
	}
	return nil
}

func stringRows(r *setRow) error {
	s, sep := r.str(0, r.i), r.str(1, r.i)
	if s == "" {
		return nil
	}
	parts := []string{s}
	if sep != "" {
		parts = strings.Split(s, sep)
	}
	for _, p := range parts {
		if !r.more() {
			return nil
		}
		if len(r.args) > 2 && p == r.str(2, r.i) {
			r.out[0].AppendNull()
			continue
		}
		r.out[0].AppendString(p)
	}
	return nil
}
