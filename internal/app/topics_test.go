package app

import "testing"

func TestTopicsOfTasksHaveAPurpose(t *testing.T) {
	n := &node{}
	for name, want := range map[string]string{
		"myelin.steps":   "Every step that views took since their state was saved",
		"myelin.state.2": "The state of views, to go on from after a restart (task 2)",
		"myelin.outs.1":  "How far views have been written to their topics (task 1)",
		"myelin.served":  "What each step changed in views, for the processes that show them as well",
	} {
		if got := n.purpose(name); got != want {
			t.Errorf("%s: %q; want %q", name, got, want)
		}
	}
}
