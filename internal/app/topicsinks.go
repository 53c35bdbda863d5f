package app

import (
	"myelin/internal/control"
	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
	"myelin/internal/serve/api"
)

// topicSinks are the sinks that write to topics. The engine writes them in the same transaction as its own state, so that there
// is nothing to deliver, retry or count beside the topic itself.
func (n *node) topicSinks() []api.SinkInfo {
	if n.engine == nil {
		return nil
	}
	var out []api.SinkInfo
	objects, _ := n.desired.registry.Snapshot()
	for _, o := range objects {
		if o.Kind != control.Sink {
			continue
		}
		stmt, err := sql.ParseOne(o.SQL)
		s, ok := stmt.(*sql.CreateSink)
		if err != nil || !ok {
			continue
		}
		topic, ok := plan.Option(s.With, "topic")
		if !ok || topic.Value == "" {
			continue
		}
		info := api.SinkInfo{Name: o.Name, Connector: "topic", Target: topic.Value, State: "ok"}
		if s.From != nil {
			info.From = s.From.Name
			if v, ok := n.engine.View(info.From); ok {
				if st := v.Status(); st.Problem != "" {
					info.State, info.LastError = "failing", st.Problem
				}
			}
		}
		out = append(out, info)
	}
	return out
}
