package vec

import "fmt"

// Of returns the type of a kind without modifiers.
func Of(k Kind) Type { return Type{Kind: k} }

// ArrayOf returns the type of an array of k.
func ArrayOf(k Kind) Type { return Type{Kind: Array, Elem: k} }

var kindNames = [...]string{
	Unknown: "unknown", Bool: "boolean", Int32: "integer", Int64: "bigint", Float64: "double precision", Numeric: "numeric",
	Text: "text", Bytea: "bytea", Date: "date", Time: "time", Timestamp: "timestamp", Timestamptz: "timestamptz",
	Interval: "interval", UUID: "uuid", JSONB: "jsonb", Array: "array",
}

// String returns the SQL name of the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// String returns the SQL name of the type, as CAST takes it.
func (t Type) String() string {
	switch {
	case t.Kind == Array:
		return t.Elem.String() + "[]"
	case t.Kind == Numeric && t.Precision > 0:
		return fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale)
	}
	return t.Kind.String()
}

// Numeric reports whether values of the kind are numbers.
func (k Kind) Numeric() bool { return k >= Int32 && k <= Numeric }

// Integer reports whether values of the kind are whole numbers that live in Ints.
func (k Kind) Integer() bool { return k == Int32 || k == Int64 }

// InInts reports whether values of the kind live in Vector.Ints.
func (k Kind) InInts() bool {
	switch k {
	case Int32, Int64, Date, Time, Timestamp, Timestamptz:
		return true
	}
	return false
}

// InSpans reports whether values of the kind are bytes: Spans into Buf.
func (k Kind) InSpans() bool {
	switch k {
	case Text, Bytea, UUID, JSONB:
		return true
	}
	return false
}

// SQLName returns the type's full name as PostgreSQL's format_type gives it.
func (t Type) SQLName() string {
	switch t.Kind {
	case Time, Timestamp:
		return t.Kind.String() + " without time zone"
	case Timestamptz:
		return "timestamp with time zone"
	case Array:
		return Of(t.Elem).SQLName() + "[]"
	}
	return t.String()
}
