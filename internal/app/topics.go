package app

import (
	"strconv"
	"strings"

	"myelin/internal/activate"
	"myelin/internal/process/exec"
	"myelin/internal/serve/api"
	"myelin/internal/serve/topic"
	"myelin/internal/trust"
)

// newTopics shows the log to people.
func (n *node) newTopics() (*topic.Browser, error) {
	return topic.New(topic.Config{Admin: n.cluster.Admin(), NewClient: n.cluster.NewClient, Purpose: n.purpose, Clock: n.Clock})
}

// taskTopics are those that each task has; but for the first, its number stands behind the name.
var taskTopics = map[string]string{
	exec.StepsTopic:  "Every step that views took since their state was saved",
	exec.StateTopic:  "The state of views, to go on from after a restart",
	exec.OutsTopic:   "How far views have been written to their topics",
	exec.ServedTopic: "What each step changed in views, for the processes that show them as well",
}

// purpose says in a few words what a topic of ours is for.
func (n *node) purpose(name string) string {
	switch name {
	case quarantineTopic:
		return "Events held back because they break the plan, whole, with the reasons"
	case controlTopic:
		return "Views, tables and sinks that people made"
	case plansTopic:
		return "The plans in force last"
	case activate.LedgerTopic:
		return "What became of every delivery"
	case exec.TablesTopic:
		return "Rows of tables that come from files"
	}
	for base, what := range taskTopics {
		if task, ok := numbered(name, base, "."); ok && task > 0 {
			return what + " (task " + strconv.Itoa(task) + ")"
		} else if ok {
			return what
		}
	}
	if view, ok := strings.CutPrefix(name, exec.OutPrefix); ok {
		return "Changes of the view " + view + ", on their way to sinks"
	}
	if strings.HasPrefix(name, exec.PartsPrefix) {
		return "Groups that the parts of a view pass on to the task that merges them"
	}
	for _, g := range n.governed {
		switch name {
		case g:
			return "Accepted events, each one checked"
		case trust.Doorstep(g):
			return "Events as they arrived, before they were checked"
		}
	}
	objects, _ := n.desired.registry.Snapshot()
	for _, o := range objects {
		if strings.Contains(o.SQL, "'"+name+"'") {
			return "Named by " + string(o.Kind) + " " + o.Name
		}
	}
	return ""
}

// endpoints are the addresses under which programs reach this process.
func (n *node) endpoints() api.Endpoints {
	a := n.addresses()
	out := api.Endpoints{HTTP: a.UI, Kafka: a.Kafka, Postgres: a.Postgres}
	if out.Kafka == "" {
		out.Kafka = strings.Join(n.cfg.Kafka.Brokers, ",")
	}
	return out
}
