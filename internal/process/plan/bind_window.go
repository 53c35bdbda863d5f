package plan

import (
	"strings"

	"myelin/internal/process/fn"
	"myelin/internal/process/sql"
	"myelin/internal/vec"
)

// windowPlace binds what may follow the size of a window: an offset, a time zone, or both in this order.
func (b *binder) windowPlace(w *Window, f *sql.FuncRef, args []sql.Expr) {
	if len(args) == 2 || len(args) == 1 && !isString(args[0]) {
		w.Offset = b.windowOffset(args[0], w, f.Name)
		args = args[1:]
	}
	if len(args) == 0 {
		return
	}
	pos := args[0].Pos()
	lit, ok := args[0].(*sql.Literal)
	if !ok || lit.Kind != sql.StringLit {
		b.fail(pos, sql.CodeInvalidParameter, "write the name of a zone: 'Europe/Berlin'", "the time zone of %s must be a constant name", f.Name)
	}
	if _, ok := vec.Zone(lit.Text); !ok {
		hint := "write a name of the IANA time zone database: 'Europe/Berlin'"
		if near := sql.Suggest(lit.Text, zoneNames); near != "" {
			hint = "did you mean '" + near + "'?"
		}
		b.fail(pos, sql.CodeInvalidParameter, hint, "time zone %q not recognized", lit.Text)
	}
	if c := w.Input.Schema()[w.Time]; c.Type.Kind != vec.Timestamptz {
		b.fail(pos, sql.CodeType, "declare it as TIMESTAMPTZ, or leave the zone out", "windows in a time zone need an instant, but %q is %v", c.Name, c.Type)
	}
	w.Zone = lit.Text
}

func isString(e sql.Expr) bool {
	lit, ok := e.(*sql.Literal)
	return ok && lit.Kind == sql.StringLit
}

// windowOffset binds the interval by which all boundaries are moved.
func (b *binder) windowOffset(e sql.Expr, w *Window, name string) vec.IntervalValue {
	x := b.coerce(b.expr0(e, &env{scope: &scope{}, clause: name}), vec.Of(vec.Interval), fn.ImplicitCast, e.Pos())
	c, ok := x.(*Const)
	if !ok || c.Value.IsNull(0) || c.Value.Intervals[0].Months != 0 {
		b.fail(e.Pos(), sql.CodeInvalidParameter, "write INTERVAL '4 days'", "the offset of %s must be a constant interval of days and less", name)
	}
	v := c.Value.Intervals[0]
	if size := w.Size.Approx(); v.Approx() > size || v.Approx() < -size {
		b.fail(e.Pos(), sql.CodeInvalidParameter, "take the rest that is left when the offset is divided by the size", "the offset of %s is longer than its size", name)
	}
	return v
}

// zoneNames are well-known zones, from which a misspelt name is guessed.
var zoneNames = strings.Fields(`UTC Europe/Amsterdam Europe/Athens Europe/Belgrade Europe/Berlin Europe/Brussels Europe/Bucharest Europe/Budapest
	Europe/Copenhagen Europe/Dublin Europe/Helsinki Europe/Istanbul Europe/Kyiv Europe/Lisbon Europe/London Europe/Luxembourg Europe/Madrid
	Europe/Moscow Europe/Oslo Europe/Paris Europe/Prague Europe/Riga Europe/Rome Europe/Sofia Europe/Stockholm Europe/Tallinn Europe/Vienna
	Europe/Vilnius Europe/Warsaw Europe/Zagreb Europe/Zurich America/Anchorage America/Argentina/Buenos_Aires America/Bogota America/Caracas
	America/Chicago America/Denver America/Halifax America/Havana America/Lima America/Los_Angeles America/Mexico_City America/Montevideo
	America/New_York America/Phoenix America/Santiago America/Sao_Paulo America/St_Johns America/Toronto America/Vancouver Africa/Cairo
	Africa/Casablanca Africa/Johannesburg Africa/Lagos Africa/Nairobi Asia/Almaty Asia/Baghdad Asia/Bangkok Asia/Beirut Asia/Colombo Asia/Dhaka
	Asia/Dubai Asia/Ho_Chi_Minh Asia/Hong_Kong Asia/Jakarta Asia/Jerusalem Asia/Karachi Asia/Kathmandu Asia/Kolkata Asia/Kuala_Lumpur
	Asia/Manila Asia/Riyadh Asia/Seoul Asia/Shanghai Asia/Singapore Asia/Taipei Asia/Tashkent Asia/Tehran Asia/Tokyo Atlantic/Azores
	Atlantic/Reykjavik Australia/Adelaide Australia/Brisbane Australia/Melbourne Australia/Perth Australia/Sydney Pacific/Auckland Pacific/Honolulu`)
