package cluster

import (
	"fmt"
	"slices"
	"testing"
)

func TestViewsThatReadEachOtherRunInOneTask(t *testing.T) {
	objects := []object{{name: "a", print: "1"}, {name: "b", print: "1", reads: []string{"a"}}, {name: "c", print: "1"}, {name: "d", print: "1"}}
	fresh, refused := settle(objects, nil, 3)
	if len(refused) > 0 || len(fresh) != 4 || fresh["a"].Task != fresh["b"].Task || fresh["c"].Task == fresh["a"].Task || fresh["d"].Task == fresh["a"].Task ||
		fresh["c"].Task == fresh["d"].Task {
		t.Fatalf("placed %v, refused %v", fresh, refused)
	}
	// What has state stays, also when others come.
	more, refused := settle(append(objects, object{name: "e", print: "1", reads: []string{"c"}}), fresh, 3)
	if len(refused) > 0 || len(more) != 1 || more["e"].Task != fresh["c"].Task {
		t.Fatalf("placed %v, refused %v", more, refused)
	}
	// A view over two that have state in different tasks cannot run; the others are not moved for it.
	more, refused = settle(append(objects, object{name: "f", print: "1", reads: []string{"c", "d"}}), fresh, 3)
	if len(more) != 0 || refused["f"] == "" {
		t.Fatalf("placed %v, refused %v", more, refused)
	}
	// One whose definition changed is computed anew and goes where it must, or stays.
	changed := slices.Clone(objects)
	changed[3] = object{name: "d", print: "2", reads: []string{"c"}}
	more, _ = settle(changed, fresh, 3)
	if len(more) != 1 || more["d"] != (place{fresh["c"].Task, "2"}) {
		t.Fatalf("placed %v", more)
	}
	changed[3] = object{name: "d", print: "3"}
	if more, _ = settle(changed, fresh, 3); more["d"] != (place{fresh["d"].Task, "3"}) {
		t.Fatalf("placed %v", more)
	}
}

func TestTasksAreDividedFairlyAndMoveLittle(t *testing.T) {
	weights := []int{0, 1, 1, 1, 0, 0, 0} // the keeper and six tasks, of which three have a view
	count := func(parts []int32) (views int) {
		for _, p := range parts {
			views += weights[p]
		}
		return views
	}
	one := divide(weights, 7, [][]int32{nil})
	if len(one[0]) != 7 {
		t.Fatalf("one process has %v", one)
	}
	three := divide(weights, 7, [][]int32{one[0], nil, nil})
	for _, parts := range three {
		if count(parts) != 1 || len(parts) > 3 {
			t.Fatalf("three processes have %v", three)
		}
	}
	// One goes: what the others have stays with them.
	two := divide(weights, 7, [][]int32{three[0], three[1]})
	for m := range two {
		for _, p := range three[m] {
			if !slices.Contains(two[m], p) {
				t.Errorf("process %d had %v and has %v", m, three[m], two[m])
			}
		}
	}
	if total := count(two[0]) + count(two[1]); total != 3 || len(two[0])+len(two[1]) != 7 {
		t.Errorf("two processes have %v", two)
	}
	// Whatever there is, each partition is given to exactly one.
	for seed := range 200 {
		w := make([]int, 7)
		for i := range w {
			w[i] = (seed * (i + 3)) % 5
		}
		out := divide(w, 7, [][]int32{{0, 1, int32(seed % 7)}, {int32(seed % 5)}, nil, {9}})
		var all []int32
		for _, parts := range out {
			all = append(all, parts...)
		}
		slices.Sort(all)
		if fmt.Sprint(all) != "[0 1 2 3 4 5 6]" {
			t.Fatalf("seed %d: %v", seed, out)
		}
	}
}

func TestPartsOfAViewAreSpreadOverTheTasks(t *testing.T) {
	objects := []object{{name: "a", print: "1"}, {name: "b", print: "1"}, {name: "v#0", print: "1", whole: "v"}, {name: "v#1", print: "1", whole: "v"}, {name: "v#2", print: "1", whole: "v"}}
	had := map[string]place{"a": {0, "1"}, "b": {0, "1"}, "v#1": {1, "1"}}
	fresh, refused := settle(objects, had, 3)
	if len(refused) > 0 || len(fresh) != 2 || fresh["v#0"].Task != 2 || fresh["v#2"].Task != 0 { // although task 0 has more to do than 1 and 2
		t.Fatalf("placed %v, refused %v", fresh, refused)
	}
	// More parts than tasks: some tasks have two.
	fresh, _ = settle(append(objects, object{name: "v#3", print: "1", whole: "v"}, object{name: "v#4", print: "1", whole: "v"}), nil, 3)
	each := make([]int, 3)
	for i := range 5 {
		each[fresh[fmt.Sprintf("v#%d", i)].Task]++
	}
	if slices.Max(each) != 2 || slices.Min(each) != 1 {
		t.Fatalf("the tasks have %v parts", each)
	}
}
