package api

import (
	"encoding/json"
	"net/http"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"
)

type object = map[string]any

// openAPI describes the doors (OpenAPI 3.1), made from the very table that opens them.
func (s *Server) openAPI(w http.ResponseWriter, r *http.Request) {
	s.send(w, r, http.StatusOK, s.describe())
}

func (s *Server) describe() object {
	sch := &schemas{named: object{}}
	paths := object{}
	for _, rt := range s.routes {
		op := object{"summary": rt.summary, "operationId": operationID(rt), "responses": object{
			"default": object{"description": "What went wrong, and what to do next.", "content": jsonContent(sch.of(reflect.TypeOf(Failure{})))},
		}}
		responses := op["responses"].(object)
		switch {
		case rt.streams != nil:
			events := object{}
			for name, v := range rt.streams {
				events[name] = sch.of(reflect.TypeOf(v))
			}
			responses["200"] = object{"description": "Server-sent events; the data of each is JSON.",
				"content": object{"text/event-stream": object{"schema": object{"type": "string"}, "x-events": events}}}
		case rt.answer != nil:
			responses["200"] = object{"description": "The answer.", "content": jsonContent(sch.of(reflect.TypeOf(rt.answer)))}
		default:
			responses["200"] = object{"description": "The answer."}
		}
		if rt.body != nil {
			op["requestBody"] = object{"required": true, "content": jsonContent(sch.of(reflect.TypeOf(rt.body)))}
		}
		var params []object
		for _, p := range rt.params {
			params = append(params, object{"name": p.name, "in": p.in, "required": p.in == "path", "description": p.help, "schema": object{"type": p.kind}})
		}
		if params != nil {
			op["parameters"] = params
		}
		at, ok := paths[rt.path].(object)
		if !ok {
			at = object{}
			paths[rt.path] = at
		}
		at[strings.ToLower(rt.method)] = op
	}
	return object{
		"openapi": "3.1.0",
		"info":    object{"title": "Myelin", "version": s.cfg.Version, "description": "What flows through Myelin, and what is known by now."},
		"paths":   paths,
		"components": object{"schemas": sch.named, "securitySchemes": object{"basic": object{"type": "http", "scheme": "basic",
			"description": "Needed unless the client is on the same machine."}}},
	}
}

func jsonContent(schema object) object {
	return object{"application/json": object{"schema": schema}}
}

// operationID is the method and the path in camel case: getViewsNameLive.
func operationID(rt route) string {
	id := strings.ToLower(rt.method)
	for part := range strings.FieldsFuncSeq(strings.TrimPrefix(rt.path, "/api"), func(c rune) bool { return strings.ContainsRune("/{}._-", c) }) {
		id += strings.ToUpper(part[:1]) + part[1:]
	}
	return id
}

// schemaName is the type's name; those of other packages carry the name of theirs, so that a topic's Group is none of Quality's.
func schemaName(t reflect.Type) string {
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	pkg := path.Base(t.PkgPath())
	if pkg == "api" || pkg == "tail" || strings.HasPrefix(strings.ToLower(name), pkg) {
		return name
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + name
}

// schemas turns Go types into JSON Schema, each named type once.
type schemas struct{ named object }

func (s *schemas) of(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[json.RawMessage]():
		return object{} // any JSON
	}
	switch t.Kind() {
	case reflect.Pointer:
		inner := s.of(t.Elem())
		return object{"anyOf": []object{inner, {"type": "null"}}}
	case reflect.Slice:
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		name := schemaName(t)
		if _, ok := s.named[name]; !ok {
			s.named[name] = object{} // breaks recursion
			props, required := object{}, []string{}
			s.fields(t, props, &required)
			slices.Sort(required)
			s.named[name] = object{"type": "object", "properties": props, "required": required}
		}
		return object{"$ref": "#/components/schemas/" + name}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float64, reflect.Float32:
		return object{"type": "number"}
	case reflect.String:
		return object{"type": "string"}
	}
	return object{"type": "integer"}
}

func (s *schemas) fields(t reflect.Type, props object, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		if f.Anonymous {
			s.fields(f.Type, props, required)
			continue
		}
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		prop := s.of(f.Type)
		if doc := f.Tag.Get("doc"); doc != "" {
			prop["description"] = doc
		}
		props[name] = prop
		if !strings.Contains(opts, "omitempty") {
			*required = append(*required, name)
		}
	}
}
