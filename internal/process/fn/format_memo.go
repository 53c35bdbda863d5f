package fn

import (
	"strings"
	"time"

	"myelin/internal/vec"
)

// timeToChar writes times by templates. Rows next to each other are mostly of the same day, hour or second: what was written
// last is taken again as long as the template cannot tell the difference.
func timeToChar(zoned bool) Kernel {
	return func(env *Env, args []*vec.Vector, sel []int32, n int, out *vec.Vector) {
		var last struct {
			template, zone string
			grain, bucket  int64
			named          bool // the template has the zone's name
			row            int
		}
		last.row = -1
		rows(func(c *cx, i int) {
			local, zone := c.int(0, i), ""
			if isInf(local) {
				c.setNull(i)
				return
			}
			template := c.bytes(1, i)
			if last.row < 0 || string(template) != last.template {
				last.template, last.row = string(template), -1
				last.grain, last.named = grainOf(last.template)
			}
			if zoned {
				if last.named {
					zone, _ = time.UnixMicro(local).In(c.env.Location()).Zone()
				}
				local = ToLocal(local, c.env.Zone)
			}
			bucket := floorDiv(local, last.grain)
			if last.row >= 0 && bucket == last.bucket && zone == last.zone {
				c.out.Spans[i] = c.out.Spans[last.row]
				return
			}
			c.out.SetString(i, formatTime(last.template, local, zone))
			last.row, last.bucket, last.zone = i, bucket, zone
		})(env, args, sel, n, out)
	}
}

// grainOf is the time within which a template writes the same, in microseconds, or less; named reports whether it may name the
// zone. It looks at every place of the template, also at those that are quoted.
func grainOf(template string) (grain int64, named bool) {
	grain = vec.MicrosPerDay
	for i := range template {
		p := strings.ToUpper(nextPattern(template[i:]))
		switch {
		case p == "":
			continue
		case p == "TZ":
			named = true
		case p == "US" || strings.HasPrefix(p, "FF") || p == "MS":
			grain = 1
		case strings.HasPrefix(p, "SS"):
			grain = min(grain, vec.MicrosPerSecond)
		case p == "MI":
			grain = min(grain, vec.MicrosPerMinute)
		case strings.HasPrefix(p, "HH") || strings.HasSuffix(p, "M") || strings.HasSuffix(p, "M."):
			grain = min(grain, vec.MicrosPerHour)
		}
	}
	return grain, named
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
