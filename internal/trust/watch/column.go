package watch

import "math"

// column is a figure of a view: revenue, a conversion rate. Its values are read every few minutes. Inside they are kept on a
// scale that is even around zero and logarithmic beyond, so that errors are relative.
type column struct {
	View    string  `json:"view"`
	Name    string  `json:"column"`
	First   int64   `json:"first"`
	History history `json:"history"`
	Hour    int64   `json:"hour"`
	Sum     float64 `json:"sum"`
	N       float64 `json:"n"`
	Bad     bool    `json:"bad"`
	Value   float64 `json:"value"`
	Short   float64 `json:"short"` // mean error of the last half hour or so
	VarOne  float64 `json:"varOne"`
	VarAll  float64 `json:"varAll"`
	Of      float64 `json:"of"`
	Tails   [2]tail `json:"tails"`
	Open    bool    `json:"open"`
	Since   float64 `json:"since"`
	Calm    int     `json:"calm"`
	dirty   bool
}

const (
	columnShift = 50 // keeps scaled values above zero
	columnGrain = 100
)

var columnPrior = prior{high: 2.5, mean: 0.8, perWeek: 10, floor: 5}

func scaled(x float64) float64   { return columnShift + math.Asinh(x*columnGrain) }
func unscaled(y float64) float64 { return math.Sinh(y-columnShift) / columnGrain }

// expected is what the column should show at a moment.
func (c *column) expected(second float64) float64 {
	if c.History.age() < 2 {
		return c.Value
	}
	return unscaled(c.History.rate(int64(second)) * hourSeconds)
}

// Column takes the value that a column of a view has at a moment. Values come in the order of their moments.
func (w *Watch) Column(view, name string, at, x float64) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	key := view + "." + name
	c := w.mu.columns[key]
	if c == nil {
		c = &column{View: view, Name: name, First: int64(at), Hour: int64(at) / hourSeconds}
		w.mu.columns[key] = c
	}
	c.dirty = true
	if hour := int64(at) / hourSeconds; hour > c.Hour {
		mean := math.NaN()
		if c.N > 0 {
			mean = c.Sum / c.N
		}
		c.History.close(c.Hour, mean, c.Open || c.Bad)
		c.Hour, c.Sum, c.N, c.Bad = hour, 0, 0, false
	}
	y := scaled(x)
	c.Sum, c.N, c.Value = c.Sum+y, c.N+1, x
	if c.History.age() < 24 {
		return
	}
	f := c.expected(at)
	if opened, closed := c.judge(y-scaled(f), at); opened || closed {
		out := Finding{Kind: Column, View: view, ColumnName: name, Open: opened, Since: clockTime(c.Since), At: clockTime(at), Observed: x, Expected: f, Unit: "value"}
		if closed && c.Calm < calmValues {
			out.Note = newNormal
		}
		w.mu.out = append(w.mu.out, out)
	}
}

const calmValues = 6

// judge scores an error twice: alone, for single breaks, and in the mean of the last ones, for shifts.
func (c *column) judge(e, at float64) (opened, closed bool) {
	const share = 1. / 6
	if !c.Open || c.Calm > 0 {
		c.Short += (e - c.Short) * share
	}
	one, all := math.Sqrt(max(c.VarOne, 0.01*0.01)), math.Sqrt(max(c.VarAll, 0.01*0.01))
	score := max(math.Abs(e)/one/1.5, math.Abs(c.Short)/all)
	if c.Open {
		if math.Abs(e)/one < 2.5 {
			c.Calm++
		} else {
			c.Calm = 0
		}
		stays := at-c.Since > freezeSeconds
		if c.Calm >= calmValues || stays {
			if stays {
				c.History.rescale(1)
				c.History.First = c.History.Newest - 72
			}
			c.Open, c.Bad, c.Short = false, true, 0
			return false, true
		}
		return false, false
	}
	t := &c.Tails[0]
	warm := c.Of > 200 && c.History.age() >= warmHours
	if warm && score > t.limit(columnPrior) && math.Abs(e) > 0.2 {
		t.forget()
		c.Open, c.Since, c.Calm = true, at, 0
		return true, false
	}
	if warm {
		t.learn(columnPrior, score, 300./(7*24*hourSeconds))
	}
	c.Of++
	by := 1 / min(c.Of, 1500)
	c.VarOne += (min(e*e, 16*max(c.VarOne, 1e-4)) - c.VarOne) * by
	c.VarAll += (min(c.Short*c.Short, 16*max(c.VarAll, 1e-4)) - c.VarAll) * by
	return false, false
}
