package app

import (
	"myelin/internal/control"
	"myelin/internal/process/exec"
	"myelin/internal/process/plan"
	"myelin/internal/process/sql"
)

// blackhole is the connector of sinks whose rows go nowhere: they are there to measure with.
const blackhole = "blackhole"

// bindBlackhole makes a sink that computes its rows and gives them to nobody.
func (b *bound) bindBlackhole(o control.Object, s *sql.CreateSink) error {
	if err := plan.CheckOptions(o.SQL, "a blackhole sink", s.With, []plan.OptionRule{{Name: "connector"}}); err != nil {
		return err
	}
	q, err := plan.BindSink(s, o.SQL, b.catalog, true)
	if err != nil {
		return err
	}
	if err := exec.Check(q); err != nil {
		return sql.At(o.SQL, int(s.At0), sql.CodeNotSupported, "%v", err)
	}
	out := exec.Sink{Name: o.Name, Query: q, Discard: true}
	if s.From != nil && b.keptUp(s.From.Name) {
		out.From, out.Query = s.From.Name, nil
	}
	b.engine.Sinks = append(b.engine.Sinks, out)
	return nil
}
