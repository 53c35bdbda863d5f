package op

import "myelin/internal/process/state"

// aside is an operator that has maps which are no stores, since they can be made anew from those.
type aside interface{ asides() []*state.Map }

func (j *join) asides() []*state.Map   { return []*state.Map{j.sides[0].heads, j.sides[1].heads} }
func (j *pairs) asides() []*state.Map  { return []*state.Map{j.sides[0].heads, j.sides[1].heads} }
func (a *asOf) asides() []*state.Map   { return []*state.Map{a.heads} }
func (o *over) asides() []*state.Map   { return []*state.Map{o.parts} }
func (r *ranked) asides() []*state.Map { return []*state.Map{r.parts} }

// Spill has all state lie in scratch memory once the heap has its part.
func (p *Pipeline) Spill(h *state.Share) {
	for _, s := range p.steps {
		if s.op == nil {
			continue
		}
		for _, x := range s.op.Stores() {
			if x, ok := x.(state.Spiller); ok {
				x.Spill(h)
			}
		}
		if x, ok := s.op.(aside); ok {
			for _, m := range x.asides() {
				if m != nil {
					m.Spill(h)
				}
			}
		}
	}
}
