package pgwire

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"myelin/internal/serve/query"
	"myelin/internal/serve/value"
	"myelin/internal/vec"
)

// readParam reads one parameter as sent: raw nil is NULL, oid what the client takes the type for, want what the
// statement needs.
func readParam(raw []byte, format int16, oid uint32, want vec.Type, style value.Style) (*vec.Vector, error) {
	if raw == nil {
		return vec.NullOf(want), nil
	}
	if format == pgproto3.TextFormat {
		v, err := style.ReadText(raw, want)
		if err != nil {
			return nil, textError(err, want, raw)
		}
		return v, nil
	}
	v, err := value.ReadBinary(oid, raw)
	if err != nil {
		return nil, query.Errorf(query.CodeInvalidBinary, "%s", err.Error())
	}
	if v.Type.Kind == want.Kind && v.Type.Elem == want.Elem || want.Kind == vec.Unknown {
		v.Type = typeOf(want, v.Type)
		return v, nil
	}
	if v, err = style.ReadText(style.AppendText(nil, v, 0), want); err != nil {
		return nil, textError(err, want, raw)
	}
	return v, nil
}

// typeOf keeps modifiers of the type that is wanted.
func typeOf(want, got vec.Type) vec.Type {
	if want.Kind == vec.Unknown {
		return got
	}
	return want
}

func textError(err error, want vec.Type, raw []byte) error {
	var e *query.Error
	if errors.As(err, &e) {
		return e
	}
	return query.Errorf(query.CodeInvalidText, "invalid input syntax for type %s: \"%.200s\"", want, raw)
}

// typeNames are the spellings that PREPARE may use.
var typeNames = map[string]uint32{
	"bool": value.OIDBool, "boolean": value.OIDBool, "int": value.OIDInt4, "int4": value.OIDInt4, "integer": value.OIDInt4,
	"int2": value.OIDInt2, "smallint": value.OIDInt2, "int8": value.OIDInt8, "bigint": value.OIDInt8,
	"real": value.OIDFloat4, "float4": value.OIDFloat4, "float8": value.OIDFloat8, "float": value.OIDFloat8,
	"double precision": value.OIDFloat8, "numeric": value.OIDNumeric, "decimal": value.OIDNumeric, "text": value.OIDText,
	"varchar": value.OIDVarchar, "character varying": value.OIDVarchar, "name": value.OIDName, "bytea": value.OIDBytea,
	"date": value.OIDDate, "time": value.OIDTime, "timestamp": value.OIDTimestamp, "timestamptz": value.OIDTimestamptz,
	"timestamp with time zone": value.OIDTimestamptz, "timestamp without time zone": value.OIDTimestamp,
	"interval": value.OIDInterval, "uuid": value.OIDUUID, "jsonb": value.OIDJSONB, "json": value.OIDJSON, "oid": value.OIDOid,
	"unknown": 0,
}

// typeOID finds a type by name; modifiers are ignored, "[]" makes an array.
func typeOID(name string) (uint32, bool) {
	base, isArray := strings.CutSuffix(strings.ReplaceAll(name, " ", " "), "[ ]")
	if open := strings.IndexByte(base, '('); open >= 0 {
		base = base[:open]
	}
	oid, ok := typeNames[strings.TrimSpace(base)]
	if ok && isArray {
		t, _ := value.TypeOf(oid)
		return value.OID(vec.ArrayOf(t.Kind)), true
	}
	return oid, ok
}
