package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"myelin/internal/process/exec"
)

// place is where an object runs; JSON in PlacesTopic under the object's name.
type place struct {
	Task int `json:"task"`
	// Print is the definition that has state there: one that changed is computed anew anyway, and may as well go elsewhere.
	Print string `json:"print"`
}

// object is something that is placed: a view, a table that no view reads, or a sink with a query of its own. Tables that views read
// are where those are, each task with rows of its own.
type object struct {
	name, print string
	reads       []string // views only
	whole       string   // the view that it is a part of; its parts are spread over the tasks
}

// sinkName is what the object of a sink is called; no view can be.
func sinkName(name string) string { return "sink " + name }

// objectsOf lists what is to be placed, by name.
func objectsOf(all exec.Objects) ([]object, error) {
	prints, err := exec.Prints(all)
	if err != nil {
		return nil, err
	}
	tables, read := map[string]bool{}, map[string]bool{}
	for _, t := range all.Tables {
		tables[t.Relation.Name] = true
	}
	var out []object
	add := func(name string, reads []string) {
		o := object{name: name, print: prints[name]}
		for _, r := range reads {
			if tables[r] {
				read[r] = true
			} else {
				o.reads = append(o.reads, r)
			}
		}
		out = append(out, o)
	}
	for _, v := range all.Views {
		add(v.Relation.Name, v.Reads())
		_, out[len(out)-1].whole = v.Part()
	}
	for _, s := range all.Sinks {
		if s.Query != nil {
			add(sinkName(s.Name), s.Reads())
		}
	}
	for _, t := range all.Tables {
		if !read[t.Relation.Name] {
			add(t.Relation.Name, nil)
		}
	}
	slices.SortFunc(out, func(a, b object) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
	return out, nil
}

// settle finds a task for each object that has none, or whose definition changed. Objects that read each other run in one task, so
// that a step shows all of them at once; those that cannot, because what they read has state in different tasks, are refused.
func settle(objects []object, places map[string]place, tasks int) (fresh map[string]place, refused map[string]string) {
	fresh, refused = map[string]place{}, map[string]string{}
	byName, fixed, load := map[string]object{}, map[string]int{}, make([]int, tasks)
	near := map[string][]string{}
	beside := map[string][]int{} // parts of a view, by task
	settled := func(name string, task int) {
		load[task]++
		if w := byName[name].whole; w != "" {
			if beside[w] == nil {
				beside[w] = make([]int, tasks)
			}
			beside[w][task]++
		}
	}
	for _, o := range objects {
		byName[o.name] = o
		if p, ok := places[o.name]; ok && p.Print == o.print && p.Task < tasks {
			fixed[o.name] = p.Task
			settled(o.name, p.Task)
		}
		for _, r := range o.reads {
			near[o.name], near[r] = append(near[o.name], r), append(near[r], o.name)
		}
	}
	done := map[string]bool{}
	for _, o := range objects {
		if _, ok := fixed[o.name]; ok || done[o.name] {
			continue
		}
		// All that hang together by objects that may move, and what of them may not.
		var movable, bound []string
		done[o.name] = true
		for queue := []string{o.name}; len(queue) > 0; queue = queue[1:] {
			movable = append(movable, queue[0])
			for _, x := range near[queue[0]] {
				if _, ok := fixed[x]; ok {
					bound = append(bound, x)
				} else if _, known := byName[x]; known && !done[x] {
					done[x] = true
					queue = append(queue, x)
				}
			}
		}
		at, ok := -1, true
		for _, x := range bound {
			if at >= 0 && at != fixed[x] {
				for _, m := range movable {
					refused[m] = fmt.Sprintf("%s cannot run: it brings together %s and %s, which run in different tasks of the cluster", m, bound[0], x)
				}
				ok = false
				break
			}
			at = fixed[x]
		}
		if !ok {
			continue
		}
		for _, m := range movable { // where it was, if that does as well
			if p, had := places[m]; at < 0 && had && p.Task < tasks {
				at = p.Task
			}
		}
		if at < 0 {
			at = least(load, beside[o.whole])
		}
		for _, m := range movable {
			fresh[m] = place{Task: at, Print: byName[m].print}
			settled(m, at)
		}
	}
	return fresh, refused
}

// least is the task with the fewest objects, of those that have the fewest parts of the same view.
func least(load, parts []int) int {
	at := 0
	for k := range load {
		more := 0
		if parts != nil {
			more = parts[k] - parts[at]
		}
		if more < 0 || more == 0 && load[k] < load[at] {
			at = k
		}
	}
	return at
}

// split gives each task its objects, as far as they are placed, and reports how many are not.
func (n *Node) split(ctx context.Context) (left int, err error) {
	n.splitting.Lock()
	defer n.splitting.Unlock()
	n.mu.Lock()
	all, places, applied := n.mu.objects, maps.Clone(n.mu.places), n.mu.applied
	n.mu.Unlock()
	if !applied {
		return 0, nil
	}
	objects, err := objectsOf(all)
	if err != nil {
		return 0, err
	}
	_, refused := settle(objects, places, len(n.tasks))
	n.mu.Lock()
	n.mu.problems = nil
	for _, text := range slices.Sorted(maps.Values(refused)) {
		n.mu.problems = append(n.mu.problems, Problem{text, "drop one of them and make it anew together with the view that reads both"})
	}
	n.mu.Unlock()
	parts := make([]exec.Objects, len(n.tasks))
	task := map[string]int{}
	for _, o := range objects {
		// A definition that changed waits for the keeper, too: it may be sent elsewhere.
		if p, ok := places[o.name]; ok && p.Print == o.print && p.Task < len(n.tasks) {
			task[o.name] = p.Task
		} else if refused[o.name] == "" {
			left++
		}
	}
	tables := map[string]exec.Table{}
	for _, t := range all.Tables {
		tables[t.Relation.Name] = t
		if k, ok := task[t.Relation.Name]; ok {
			parts[k].Tables = append(parts[k].Tables, t)
		}
	}
	with := func(k int, reads []string) {
		for _, r := range reads {
			t, ok := tables[r]
			if ok && !slices.ContainsFunc(parts[k].Tables, func(x exec.Table) bool { return x.Relation.Name == r }) {
				parts[k].Tables = append(parts[k].Tables, t)
			}
		}
	}
	for _, v := range all.Views {
		if k, ok := task[v.Relation.Name]; ok {
			parts[k].Views = append(parts[k].Views, v)
			with(k, v.Reads())
		}
	}
	for _, s := range all.Sinks {
		of := sinkName(s.Name)
		if s.Query == nil {
			of = s.From
		}
		if k, ok := task[of]; ok {
			parts[k].Sinks = append(parts[k].Sinks, s)
			if s.Query != nil {
				with(k, s.Reads())
			}
		}
	}
	for k, t := range n.tasks {
		if p := parts[k]; !t.begun && len(p.Tables)+len(p.Views)+len(p.Sinks) == 0 {
			continue
		}
		if err := t.engine.Apply(ctx, parts[k]); err != nil {
			return left, err
		}
		if !t.begun {
			t.begun = true
			close(t.start)
		}
	}
	return left, nil
}

// Problem is what keeps views from running, or processes from working together, in plain words, and what to do.
type Problem struct{ Message, Hint string }

// Problems are those that there are.
func (n *Node) Problems() []Problem {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Concat(n.mu.problems, n.mu.others)
}

// weights is how many objects each partition of TasksTopic stands for.
func (n *Node) weights() []int {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]int, len(n.tasks)+1)
	known := map[string]bool{}
	for _, v := range n.mu.objects.Views {
		known[v.Relation.Name] = true
	}
	for _, s := range n.mu.objects.Sinks {
		known[sinkName(s.Name)] = true
	}
	for name, p := range n.mu.places {
		if known[name] && p.Task < len(n.tasks) {
			out[p.Task+1]++
		}
	}
	return out
}

func (n *Node) changes() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.changed
}

// readPlaces reads what has been placed.
func (n *Node) readPlaces(ctx context.Context) error {
	values, err := n.table.Load(ctx)
	if err != nil {
		return fmt.Errorf("reading where views run: %w", err)
	}
	n.learn(values)
	return nil
}

func (n *Node) learn(values map[string][]byte) (news bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name, value := range values {
		var p place
		if json.Unmarshal(value, &p) != nil || n.mu.places[name] == p {
			continue // it is not ours, or known
		}
		n.mu.places[name] = p
		news = true
	}
	if news {
		n.signalLocked()
	}
	return news
}

// news takes in what was placed, and acts on it.
func (n *Node) news(ctx context.Context, values map[string][]byte) {
	if !n.learn(values) {
		return
	}
	if _, err := n.split(ctx); err != nil {
		n.cfg.Log.Warn("dividing the views among tasks", "error", err)
	}
	n.notify()
}

// followPlaces keeps up with what is placed.
func (n *Node) followPlaces(ctx context.Context) {
	for ctx.Err() == nil {
		batch := map[string][]byte{}
		err := n.table.Follow(ctx, func(key string, value []byte) { batch[key] = value }, func() {
			n.news(ctx, batch)
			clear(batch)
		})
		if err != nil {
			n.cfg.Log.Warn("following where views run", "error", err)
			wait(ctx, nil, time.Second)
		}
	}
}

// placeAll finds tasks for new objects. Only the keeper does.
func (n *Node) placeAll(ctx context.Context) error {
	claim, err := n.table.Claim(ctx)
	if err != nil {
		return err
	}
	defer claim.Close()
	if err := n.readPlaces(ctx); err != nil {
		return err
	}
	for ctx.Err() == nil {
		changed := n.changes()
		n.mu.Lock()
		all, places, applied := n.mu.objects, maps.Clone(n.mu.places), n.mu.applied
		n.mu.Unlock()
		if applied {
			objects, err := objectsOf(all)
			if err != nil {
				return err
			}
			if len(places) == 0 { // a single process may have run them so far
				if places, err = n.adopt(ctx, objects); err != nil {
					return err
				}
			}
			fresh, _ := settle(objects, places, len(n.tasks))
			for name, p := range places {
				if _, ok := n.placed(name); !ok {
					fresh[name] = p
				}
			}
			values := map[string][]byte{}
			for name, p := range fresh {
				if values[name], err = json.Marshal(p); err != nil {
					return err
				}
			}
			if len(values) > 0 {
				if err := claim.Save(ctx, values); err != nil {
					return err
				}
				n.news(ctx, values)
			}
		}
		wait(ctx, changed, 0)
	}
	return nil
}

func (n *Node) placed(name string) (place, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p, ok := n.mu.places[name]
	return p, ok
}

// adopt leaves views where a single process has run them so far: in the first task, and parts of divided views each in its own. That is where
// their state is.
func (n *Node) adopt(ctx context.Context, objects []object) (map[string]place, error) {
	out := map[string]place{}
	for k := range n.tasks {
		had, err := exec.Flushed(ctx, n.cluster, k)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			if p := had[o.name]; p != "" && p == o.print && (k == 0 || o.whole != "") {
				out[o.name] = place{Task: k, Print: p}
			}
		}
	}
	return out, nil
}
