package exec

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"reflect"

	"myelin/internal/process/fn"
	"myelin/internal/process/plan"
)

// fingerprint tells definitions apart: state that was made under one is of no use under another.
type fingerprint [8]byte

// String is the fingerprint in hexadecimal.
func (f fingerprint) String() string { return hex.EncodeToString(f[:]) }

// stateVersion changes when the meaning of stored operator state does.
const stateVersion = 8

func printTable(r *plan.Relation) fingerprint {
	h := sha256.New()
	fmt.Fprintf(h, "table %d %s %v", stateVersion, r.Name, r.Key)
	for _, c := range r.Columns {
		fmt.Fprintf(h, " %s %v", c.Name, c.Type)
	}
	return fingerprint(h.Sum(nil)[:8])
}

// fingerprintOf computes the fingerprint of a view from its plan and the fingerprints of the views that it reads.
func fingerprintOf(v *View, views map[string]*View, depth int) error {
	if v.print != (fingerprint{}) {
		return nil
	}
	if depth > len(views) {
		return fmt.Errorf("it reads itself")
	}
	p := printer{h: sha256.New()}
	fmt.Fprintf(p.h, "view %d %s %v", stateVersion, v.Relation.Name, v.Relation.Key)
	p.value(reflect.ValueOf(v.Query.Root))
	fmt.Fprint(p.h, v.Query.Emit)
	if v.Query.Without != 0 { // operators keep their state in other forms
		fmt.Fprint(p.h, "without ", uint32(v.Query.Without))
	}
	fmt.Fprint(p.h, v.share) // nothing where the view is whole
	for _, s := range scans(v.Query.Root) {
		if s.Relation.Kind == plan.Stream {
			continue
		}
		up := views[s.Relation.Name]
		if up == nil {
			return fmt.Errorf("it reads %s, which does not exist", s.Relation.Name)
		}
		if err := fingerprintOf(up, views, depth+1); err != nil {
			return err
		}
		p.h.Write(up.print[:])
	}
	v.print = fingerprint(p.h.Sum(nil)[:8])
	return nil
}

// scans are the leaves of a plan that read relations.
func scans(n plan.Node) []*plan.Scan {
	if s, ok := n.(*plan.Scan); ok {
		return []*plan.Scan{s}
	}
	var out []*plan.Scan
	for _, in := range n.Inputs() {
		out = append(out, scans(in)...)
	}
	return out
}

// printer hashes a plan by walking over its values.
type printer struct {
	h hash.Hash
}

var (
	funcType     = reflect.TypeFor[*fn.Func]()
	relationType = reflect.TypeFor[*plan.Relation]()
)

func (p *printer) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		switch {
		case v.IsNil():
			p.h.Write([]byte{0})
		case v.Type() == funcType:
			f := v.Elem()
			fmt.Fprintf(p.h, "func %s %v", f.FieldByName("Name"), f.FieldByName("Args"))
		case v.Type() == relationType:
			// Of a relation only what a scan of it sees matters; that is in the scan.
			r := v.Elem()
			fmt.Fprintf(p.h, "relation %s.%s %v %s %s %v", r.FieldByName("Schema"), r.FieldByName("Name"), r.FieldByName("Kind"),
				r.FieldByName("Topic"), r.FieldByName("Format"), r.FieldByName("Delay"))
		default:
			if v.Kind() == reflect.Interface {
				fmt.Fprint(p.h, v.Elem().Type())
			}
			p.value(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("print") == "omitzero" && v.Field(i).IsZero() {
				continue // it came later: definitions without it are what they were
			}
			p.value(v.Field(i))
		}
	case reflect.Slice, reflect.Array:
		p.number(uint64(v.Len()))
		for i := range v.Len() {
			p.value(v.Index(i))
		}
	case reflect.String:
		p.number(uint64(v.Len()))
		p.h.Write([]byte(v.String()))
	case reflect.Bool:
		if v.Bool() {
			p.number(1)
			return
		}
		p.number(0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.number(uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		p.number(v.Uint())
	case reflect.Float64, reflect.Float32:
		fmt.Fprint(p.h, v.Float())
	}
}

func (p *printer) number(x uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], x)
	p.h.Write(b[:])
}
