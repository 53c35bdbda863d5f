package plan

import (
	"slices"
	"strconv"
	"strings"

	"myelin/internal/vec"
)

// ref is something that is needed of a node's output: a column, or a text inside a JSON column by a chain of -> and ->>.
type ref struct {
	col  int
	path string // keys, each followed by a zero byte; "" means the column itself
}

// needs is a set of refs in the order of their first use.
type needs struct {
	order []ref
	have  map[ref]bool
}

func newNeeds() *needs { return &needs{have: map[ref]bool{}} }

func (s *needs) add(r ref) {
	if !s.have[r] {
		s.have[r] = true
		s.order = append(s.order, r)
	}
}

// expr adds what an expression reads.
func (s *needs) expr(e Expr) {
	if e == nil {
		return
	}
	if r, ok := pathOf(e); ok {
		s.add(r)
		return
	}
	switch e := e.(type) {
	case *Col:
		s.add(ref{col: e.Index})
	case *Call:
		s.exprs(e.Args)
	case *Logic:
		s.exprs(e.Args)
	case *Coalesce:
		s.exprs(e.Args)
	case *InList:
		s.expr(e.X)
	case *Case:
		s.exprs(e.Whens)
		s.exprs(e.Thens)
		s.expr(e.Else)
	}
}

func (s *needs) exprs(es []Expr) {
	for _, e := range es {
		s.expr(e)
	}
}

// pathOf recognises column -> 'a' -> 'b' ->> 'c' and column #>> '{a,b}' of a JSON column with constant keys. Keys that could also be
// positions in an array are left to the operators.
func pathOf(e Expr) (ref, bool) {
	c, ok := e.(*Call)
	if !ok || c.Func.Name != "->>" && c.Func.Name != "#>>" {
		return ref{}, false
	}
	var keys []string
	for {
		part, ok := constantKeys(c)
		if !ok {
			return ref{}, false
		}
		keys = append(part, keys...)
		if col, ok := c.Args[0].(*Col); ok && col.T.Kind == vec.JSONB {
			if len(keys) == 0 {
				return ref{}, false
			}
			return ref{col.Index, strings.Join(keys, "\x00") + "\x00"}, true
		}
		c, ok = c.Args[0].(*Call)
		if !ok || c.Func.Name != "->" && c.Func.Name != "#>" {
			return ref{}, false
		}
	}
}

// constantKeys reads the right operand of a JSON operator.
func constantKeys(c *Call) ([]string, bool) {
	if len(c.Args) != 2 {
		return nil, false
	}
	k, ok := c.Args[1].(*Const)
	if !ok || k.Value.IsNull(0) {
		return nil, false
	}
	var keys []string
	switch k.Value.Type.Kind {
	case vec.Text:
		keys = []string{string(k.Value.Bytes(0))}
	case vec.Array:
		s := k.Value.Spans[0]
		for i := int(s.Off); i < int(s.Off+s.Len); i++ {
			if k.Value.Elem.IsNull(i) {
				return nil, false
			}
			keys = append(keys, string(k.Value.Elem.Bytes(i)))
		}
	default:
		return nil, false
	}
	for _, key := range keys {
		if _, err := strconv.Atoi(key); err == nil || strings.Contains(key, "\x00") {
			return nil, false
		}
	}
	return keys, true
}

// layout says where the refs that were asked of a node stand in its output.
type layout map[ref]int

// rewrite moves an expression to a layout. Paths that the layout lacks are computed from their column.
func (l layout) rewrite(e Expr) Expr {
	if e == nil {
		return nil
	}
	if r, ok := pathOf(e); ok {
		if at, ok := l[r]; ok {
			return &Col{at, vec.Of(vec.Text), strings.ReplaceAll(strings.TrimSuffix(r.path, "\x00"), "\x00", ".")}
		}
	}
	switch e := e.(type) {
	case *Col:
		return &Col{l[ref{col: e.Index}], e.T, e.Name}
	case *Call:
		c := *e
		c.Args = rewriteAll(e.Args, l.rewrite)
		return &c
	case *Logic:
		return &Logic{e.Or, rewriteAll(e.Args, l.rewrite)}
	case *Coalesce:
		return &Coalesce{rewriteAll(e.Args, l.rewrite), e.T}
	case *InList:
		return &InList{l.rewrite(e.X), e.List, e.Not}
	case *Case:
		return &Case{rewriteAll(e.Whens, l.rewrite), rewriteAll(e.Thens, l.rewrite), l.rewrite(e.Else), e.T}
	}
	return e
}

// pruneAll drops every column that nothing needs, and turns JSON paths over streams into columns of their own.
func pruneAll(n Node) Node {
	want := newNeeds()
	for i := range n.Schema() {
		want.add(ref{col: i})
	}
	out, l := prune(n, want)
	for i := range n.Schema() {
		if l[ref{col: i}] != i {
			return reorder(out, n.Schema(), l)
		}
	}
	if len(out.Schema()) != len(n.Schema()) {
		return reorder(out, n.Schema(), l)
	}
	return out
}

func reorder(n Node, cols []Column, l layout) Node {
	p := &Project{Input: n}
	for i, c := range cols {
		p.Exprs, p.Names = append(p.Exprs, &Col{l[ref{col: i}], c.Type, c.Name}), append(p.Names, c.Name)
	}
	return p
}

// prune rebuilds a node so that it gives what is wanted. For a path that it cannot give, it gives the column.
func prune(n Node, want *needs) (Node, layout) {
	switch n := n.(type) {
	case *Scan:
		return pruneScan(n, want)
	case *Values:
		return n, identity(len(n.Columns))
	case *Filter:
		w := want.clone()
		w.expr(n.Pred)
		in, l := prune(n.Input, w)
		return &Filter{in, l.rewrite(n.Pred)}, l
	case *Project:
		return pruneProject(n, want)
	case *Window:
		return pruneWindow(n, want)
	case *Aggregate:
		return pruneAggregate(n, want)
	case *Join:
		return pruneJoin(n, want)
	case *Sort:
		w := want.clone()
		for _, k := range n.Keys {
			w.expr(k.Expr)
		}
		in, l := prune(n.Input, w)
		s := *n
		s.Input, s.Keys = in, slices.Clone(n.Keys)
		for i := range s.Keys {
			s.Keys[i].Expr = l.rewrite(s.Keys[i].Expr)
		}
		return &s, l
	case *Distinct:
		return &Distinct{pruneAll(n.Input)}, identity(len(n.Schema()))
	case *SetOp:
		s := *n
		s.Left, s.Right = pruneAll(n.Left), pruneAll(n.Right)
		return &s, identity(len(n.Schema()))
	case *Over:
		return pruneOver(n, want)
	case *TopN:
		return pruneTopN(n, want)
	case *Unnest:
		return pruneUnnest(n, want)
	case *Recursive:
		r := *n
		r.Base, r.Step = pruneAll(n.Base), pruneAll(n.Step)
		return &r, identity(len(n.Schema()))
	}
	return n, identity(len(n.Schema()))
}

func (s *needs) clone() *needs {
	c := newNeeds()
	for _, r := range s.order {
		c.add(r)
	}
	return c
}

// identity is the layout of a node that keeps all its columns.
func identity(n int) layout {
	l := layout{}
	for i := range n {
		l[ref{col: i}] = i
	}
	return l
}

func pruneScan(n *Scan, want *needs) (Node, layout) {
	out := &Scan{Relation: n.Relation, Events: n.Events}
	l := layout{}
	add := func(r ref, c ScanColumn) {
		if _, ok := l[r]; !ok {
			l[r] = len(out.Columns)
			out.Columns = append(out.Columns, c)
		}
	}
	for _, r := range want.order {
		c := n.Columns[r.col]
		if r.path == "" {
			add(r, c)
			continue
		}
		if c.From != FromValue || n.Relation.Kind != Stream || c.AsText {
			add(ref{col: r.col}, c)
			continue
		}
		keys := strings.Split(strings.TrimSuffix(r.path, "\x00"), "\x00")
		add(r, ScanColumn{
			Column: Column{Name: c.Name + "." + strings.Join(keys, "."), Type: vec.Of(vec.Text)}, From: FromValue,
			Path: append(slices.Clone(c.Path), keys...), AsText: true, Index: -1,
		})
	}
	return out, l
}

func pruneProject(n *Project, want *needs) (Node, layout) {
	below := newNeeds()
	exprs := map[ref]Expr{}
	for _, r := range want.order {
		e := n.Exprs[r.col]
		if r.path != "" {
			e = appendPath(e, r.path)
			if _, ok := pathOf(e); !ok {
				e, r = n.Exprs[r.col], ref{col: r.col}
			}
		}
		exprs[r] = e
		below.expr(e)
	}
	in, bl := prune(n.Input, below)
	out := &Project{Input: in}
	l := layout{}
	for _, r := range want.order {
		if _, ok := exprs[r]; !ok {
			r = ref{col: r.col}
		}
		if _, done := l[r]; done {
			continue
		}
		l[r] = len(out.Exprs)
		name := n.Names[r.col]
		if r.path != "" {
			name += "." + strings.ReplaceAll(strings.TrimSuffix(r.path, "\x00"), "\x00", ".")
		}
		out.Exprs, out.Names = append(out.Exprs, bl.rewrite(exprs[r])), append(out.Names, name)
	}
	return out, l
}

// appendPath makes e -> … ->> key out of an expression and a path.
func appendPath(e Expr, path string) Expr {
	if e.Type().Kind != vec.JSONB {
		return e
	}
	b := &binder{}
	keys := strings.Split(strings.TrimSuffix(path, "\x00"), "\x00")
	for i, k := range keys {
		op := "->"
		if i == len(keys)-1 {
			op = "->>"
		}
		e = b.call(op, 0, e, &Const{vec.TextOf(k)})
	}
	return e
}

func pruneWindow(n *Window, want *needs) (Node, layout) {
	width := len(n.Input.Schema())
	below := newNeeds()
	for _, r := range want.order {
		if r.col < width {
			below.add(r)
		}
	}
	below.add(ref{col: n.Time})
	for _, p := range n.Partition {
		below.add(ref{col: p})
	}
	in, l := prune(n.Input, below)
	w := *n
	w.Input, w.Time, w.Partition = in, l[ref{col: n.Time}], nil
	for _, p := range n.Partition {
		w.Partition = append(w.Partition, l[ref{col: p}])
	}
	now := len(in.Schema())
	l[ref{col: width}], l[ref{col: width + 1}] = now, now+1
	return &w, l
}

func pruneAggregate(n *Aggregate, want *needs) (Node, layout) {
	keep := map[int]bool{}
	for _, r := range want.order {
		keep[r.col] = true
	}
	out := &Aggregate{Session: n.Session}
	below := newNeeds()
	below.exprs(n.Groups)
	if n.Session != nil {
		below.add(ref{col: n.Session.Time})
	}
	l := layout{}
	for i := range n.Groups { // all groups stay: they make the rows
		l[ref{col: i}] = i
	}
	out.Names = append(out.Names, n.Names[:len(n.Groups)]...)
	for i, c := range n.Calls {
		at := len(n.Groups) + i
		if !keep[at] {
			continue
		}
		l[ref{col: at}] = len(n.Groups) + len(out.Calls)
		out.Calls, out.Names = append(out.Calls, c), append(out.Names, n.Names[at])
		below.exprs(c.Args)
		below.expr(c.Filter)
		for _, o := range c.OrderBy {
			below.expr(o.Expr)
		}
	}
	in, bl := prune(n.Input, below)
	out.Input, out.Groups = in, rewriteAll(n.Groups, bl.rewrite)
	for i := range out.Calls {
		c := &out.Calls[i]
		c.Args, c.Filter, c.OrderBy = rewriteAll(c.Args, bl.rewrite), bl.rewrite(c.Filter), slices.Clone(c.OrderBy)
		for k := range c.OrderBy {
			c.OrderBy[k].Expr = bl.rewrite(c.OrderBy[k].Expr)
		}
	}
	if n.Session != nil {
		s := *n.Session
		s.Time = bl[ref{col: s.Time}]
		out.Session = &s
	}
	return out, l
}

func pruneJoin(n *Join, want *needs) (Node, layout) {
	width := len(n.Left.Schema())
	left, right := newNeeds(), newNeeds()
	add := func(r ref) {
		if r.col < width {
			left.add(r)
		} else {
			right.add(ref{r.col - width, r.path})
		}
	}
	for _, r := range want.order {
		add(r)
	}
	on := newNeeds()
	on.expr(n.On)
	for _, r := range on.order {
		add(r)
	}
	left.exprs(n.LeftKeys)
	right.exprs(n.RightKeys)
	if n.AsOf != nil {
		left.expr(n.AsOf.At)
		right.add(ref{col: n.AsOf.Time})
	}
	if n.Bounds != nil {
		if n.Bounds.Left >= 0 {
			left.add(ref{col: n.Bounds.Left})
		}
		if n.Bounds.Right >= 0 {
			right.add(ref{col: n.Bounds.Right})
		}
		left.expr(n.Bounds.LeftUntil)
		right.expr(n.Bounds.RightUntil)
	}
	l, ll := prune(n.Left, left)
	r, rl := prune(n.Right, right)
	out := *n
	out.Left, out.Right = l, r
	out.LeftKeys, out.RightKeys = rewriteAll(n.LeftKeys, ll.rewrite), rewriteAll(n.RightKeys, rl.rewrite)
	now := len(l.Schema())
	both := layout{}
	for k, at := range ll {
		both[k] = at
	}
	for k, at := range rl {
		both[ref{k.col + width, k.path}] = at + now
	}
	out.On = both.rewrite(n.On)
	if n.AsOf != nil {
		out.AsOf = &AsOf{At: ll.rewrite(n.AsOf.At), Time: rl[ref{col: n.AsOf.Time}]}
	}
	if n.Bounds != nil {
		t := *n.Bounds
		if t.Left >= 0 {
			t.Left = ll[ref{col: t.Left}]
		}
		if t.Right >= 0 {
			t.Right = rl[ref{col: t.Right}]
		}
		t.LeftUntil, t.RightUntil = ll.rewrite(t.LeftUntil), rl.rewrite(t.RightUntil)
		out.Bounds = &t
	}
	return &out, both
}

// mergeProjects joins a projection with the one below it where nothing is computed twice, and drops those that change nothing.
func mergeProjects(n Node) Node {
	return rebuild(n, func(x Node) Node {
		p, ok := x.(*Project)
		if !ok {
			return x
		}
		if in, ok := p.Input.(*Project); ok && mergeable(p, in) {
			exprs := make([]Expr, len(p.Exprs))
			for i, e := range p.Exprs {
				exprs[i] = over(e, in)
			}
			p = &Project{in.Input, exprs, p.Names}
		}
		if changesNothing(p) {
			return p.Input
		}
		return p
	})
}

// mergeable reports whether each computed column below is used once at most.
func mergeable(p, in *Project) bool {
	uses := make([]int, len(in.Exprs))
	for _, e := range p.Exprs {
		visit(e, func(x Expr) {
			if c, ok := x.(*Col); ok {
				uses[c.Index]++
			}
		})
	}
	for i, e := range in.Exprs {
		switch e.(type) {
		case *Col, *Const, *Param:
			continue
		}
		if uses[i] > 1 || volatile(e) {
			return false
		}
	}
	return true
}

func changesNothing(p *Project) bool {
	cols := p.Input.Schema()
	if len(cols) != len(p.Exprs) {
		return false
	}
	for i, e := range p.Exprs {
		c, ok := e.(*Col)
		if !ok || c.Index != i || p.Names[i] != cols[i].Name {
			return false
		}
	}
	return true
}
