package drill

import (
	"fmt"
	"strings"
	"time"
)

// Quantile is the delay within which that share of all runs was noticed; negative where fewer were noticed at all.
func (c *Case) Quantile(share float64) time.Duration {
	i := int(share*float64(c.Runs)+0.999999) - 1
	if i < 0 || i >= len(c.Delays) {
		return -1
	}
	return c.Delays[i]
}

// Markdown is the report as a table.
func (r *Report) Markdown() string {
	var b strings.Builder
	b.WriteString("| events/h | fault | found | median delay | 90 % within | soonest possible: median | 90 % |\n| ---: | --- | ---: | ---: | ---: | ---: | ---: |\n")
	for i := range r.Cases {
		c := &r.Cases[i]
		fmt.Fprintf(&b, "| %s | %s | %d of %d | %s | %s | %s | %s |\n", rateText(c.Rate), c.Fault, c.Found, c.Runs,
			delayText(c.Quantile(0.5)), delayText(c.Quantile(0.9)), floorText(c.Floor[0]), floorText(c.Floor[1]))
		if len(c.FirstBad) > 0 {
			fmt.Fprintf(&b, "| | … from the first broken event on | | %s | %s | 0 | 0 |\n", delayText(max(0, c.FirstBad[(len(c.FirstBad)-1)/2])), delayText(max(0, c.FirstBad[(len(c.FirstBad)-1)*9/10])))
		}
	}
	b.WriteString("\n| events/h | weeks without a fault | incidents | per week and source |\n| ---: | ---: | ---: | ---: |\n")
	for _, rate := range r.Config.Rates {
		fmt.Fprintf(&b, "| %s | %.0f | %d | %.2f |\n", rateText(rate), r.Weeks[rate], r.False[rate], float64(r.False[rate])/r.Weeks[rate])
	}
	return b.String()
}

func floorText(d time.Duration) string {
	if d < 0 {
		return ""
	}
	return delayText(d)
}

func rateText(rate float64) string {
	if rate >= 1000 {
		return fmt.Sprintf("%d,%03d", int(rate)/1000, int(rate)%1000)
	}
	return fmt.Sprint(rate)
}

func delayText(d time.Duration) string {
	switch {
	case d < 0:
		return "—"
	case d < time.Second:
		return "< 1 s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 3*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}
