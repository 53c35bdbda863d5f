package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"myelin/internal/config"
	"myelin/internal/trust/schema"
)

// plansTopic keeps the text of the plans that were in force last, by file.
const plansTopic = "myelin.plans"

// keepPlans puts, for every broken file, the plan that it held last into p: a slip in a file must neither let events pass
// unjudged nor take away the streams that views read. It remembers the plans that are fine, after restarts too.
func (d *desired) keepPlans(ctx context.Context, p *project) error {
	d.applying.Lock()
	defer d.applying.Unlock()
	for _, file := range p.broken {
		text, ok := d.texts[file]
		if !ok {
			continue
		}
		plan, err := schema.Parse(file, text)
		if err != nil || slices.ContainsFunc(p.plans, func(x *schema.Plan) bool { return x.Name == plan.Name }) {
			continue // by another version of the rules, or moved to another file
		}
		p.plans = append(p.plans, plan)
		p.add(config.Problem{File: file, Line: 1, Column: 1, Message: fmt.Sprintf("the plan %s stays in force as it was before", plan.Name),
			Hint: "mend the file and run myelin apply"})
	}
	var errs []error
	for file, text := range p.texts {
		if old, ok := d.texts[file]; ok && string(old) == text {
			continue
		}
		errs = append(errs, d.plans.Save(ctx, file, []byte(text)))
		d.texts[file] = []byte(text)
	}
	for _, file := range slices.Collect(maps.Keys(d.texts)) {
		if _, ok := p.texts[file]; !ok && !slices.Contains(p.broken, file) { // the file is gone
			errs = append(errs, d.plans.Save(ctx, file, nil))
			delete(d.texts, file)
		}
	}
	return errors.Join(errs...)
}
