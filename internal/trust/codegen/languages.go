package codegen

import (
	"go/format"
	"slices"
	"strings"
)

func typescript(w *writer, calls []call) {
	w.line("// "+header, w.plan)
	w.line("\n/** What the wrappers need of an SDK: analytics.js, analytics-node and RudderStack's all have it. */")
	w.line("export interface Tracker {\n  track(event: any, ...rest: any[]): any\n}\n")
	w.line("/** Sends an event to the given SDK in the browser. In Node, pass a function that calls analytics.track({event, properties, userId}). */")
	w.line("function send(to: Tracker, event: string, version: string, properties: object): void {")
	w.line("  to.track(event, properties, { context: { protocols: { event_version: version } } })\n}")
	kinds := map[string]string{"string": "string", "number": "number", "integer": "number", "boolean": "boolean", "object": "Record<string, unknown>"}
	of := func(kind string) string {
		if t := kinds[kind]; t != "" {
			return t
		}
		return "unknown"
	}
	for _, c := range calls {
		w.line("\nexport interface %s {", c.pascal)
		for _, f := range c.fields {
			t := of(f.kind)
			if f.kind == "array" {
				t = of(f.item) + "[]"
			}
			if len(f.choices) > 0 {
				var list []string
				for _, s := range f.choices {
					list = append(list, quote(s))
				}
				t = strings.Join(list, " | ")
			}
			if f.description != "" {
				w.comment("  // ", f.description)
			}
			w.line("  %s%s: %s", quote(f.name), map[bool]string{false: "?"}[f.required], t)
		}
		w.line("}\n")
		if c.description != "" {
			w.comment("// ", c.description)
		}
		w.line("export function track%s(to: Tracker, properties: %s): void {\n  send(to, %s, %s, properties)\n}", c.pascal, c.pascal, quote(c.name), quote(c.label()))
	}
}

// pythonBuiltin are names that the generated file itself needs.
var pythonBuiltin = []string{"sys", "Any", "Dict", "List", "Optional", "Literal", "float", "int", "str", "bool", "_send"}

func python(w *writer, calls []call) {
	w.line("# "+header, w.plan)
	w.line("from typing import Any, Dict, List, Optional\n\nimport sys\n\nif sys.version_info >= (3, 8):\n    from typing import Literal\n")
	w.line("\ndef _send(client: Any, user_id: Optional[str], anonymous_id: Optional[str], event: str, version: str, properties: Dict[str, Any]) -> Any:")
	w.line("    properties = {k: v for k, v in properties.items() if v is not None}")
	w.line("    return client.track(user_id=user_id, anonymous_id=anonymous_id, event=event, properties=properties,\n                        context={\"protocols\": {\"event_version\": version}})")
	kinds := map[string]string{"string": "str", "number": "float", "integer": "int", "boolean": "bool", "object": "Dict[str, Any]"}
	of := func(kind string) string {
		if t := kinds[kind]; t != "" {
			return t
		}
		return "Any"
	}
	reserved := []string{"and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if",
		"import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield", "None", "True", "False", "client", "user_id", "anonymous_id"}
	functions := namer{reserved: slices.Concat(reserved, pythonBuiltin)}
	for _, c := range calls {
		names := namer{reserved: reserved}
		w.line("\n\ndef %s(client: Any, *, user_id: Optional[str] = None, anonymous_id: Optional[str] = None,", functions.take(snake(c.name)))
		pairs := []string{}
		for _, f := range c.fields {
			t := of(f.kind)
			if f.kind == "array" {
				t = "List[" + of(f.item) + "]"
			}
			if len(f.choices) > 0 {
				var list []string
				for _, s := range f.choices {
					list = append(list, quote(s))
				}
				t = "Literal[" + strings.Join(list, ", ") + "]"
			}
			name := names.take(snake(f.name))
			if f.required {
				w.line("        %s: '%s',", name, strings.ReplaceAll(t, "'", `\'`))
			} else {
				w.line("        %s: 'Optional[%s]' = None,", name, strings.ReplaceAll(t, "'", `\'`))
			}
			pairs = append(pairs, quote(f.name)+": "+name)
		}
		w.line("        ) -> Any:")
		w.line("    \"\"\"%s\"\"\"", strings.NewReplacer(`"`, "'", `\`, "/").Replace(or(c.description, "Sends "+c.name+".")))
		w.line("    return _send(client, user_id, anonymous_id, %s, %s, {%s})", quote(c.name), quote(c.label()), strings.Join(pairs, ", "))
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func golang(w *writer, calls []call) {
	w.line("// "+header, w.plan)
	w.line("\n// Package events sends the planned events through Segment's SDK.\npackage events\n")
	w.line("import analytics \"github.com/segmentio/analytics-go/v3\"\n")
	w.line("// Who did it. One of the two is needed.\ntype Who struct{ UserID, AnonymousID string }\n")
	w.line("func send(to analytics.Client, who Who, event, version string, properties analytics.Properties) error {")
	w.line("\treturn to.Enqueue(analytics.Track{UserId: who.UserID, AnonymousId: who.AnonymousID, Event: event, Properties: properties,")
	w.line("\t\tContext: &analytics.Context{Extra: map[string]interface{}{\"protocols\": map[string]interface{}{\"event_version\": version}}}})\n}")
	kinds := map[string]string{"string": "string", "number": "float64", "integer": "int64", "boolean": "bool", "object": "map[string]any"}
	of := func(kind string) string {
		if t := kinds[kind]; t != "" {
			return t
		}
		return "any"
	}
	for _, c := range calls {
		w.line("\n// %s are the properties of %s. A nil pointer is left out.\ntype %s struct {", c.pascal, quote(c.name), c.pascal)
		var body strings.Builder
		names := namer{}
		for _, f := range c.fields {
			t := of(f.kind)
			if f.kind == "array" {
				t = "[]" + of(f.item)
			}
			name := names.take(pascal(f.name))
			if f.required || f.kind == "array" || f.kind == "object" || f.kind == "" {
				w.line("\t%s %s", name, t)
			} else {
				w.line("\t%s *%s", name, t)
			}
			if f.required {
				body.WriteString("\tproperties[" + quote(f.name) + "] = p." + name + "\n")
				continue
			}
			value := "*p." + name
			if f.kind == "array" || f.kind == "object" || f.kind == "" {
				value = "p." + name
			}
			body.WriteString("\tif p." + name + " != nil {\n\t\tproperties[" + quote(f.name) + "] = " + value + "\n\t}\n")
		}
		w.line("}\n\n// Track%s sends %s.", c.pascal, quote(c.name))
		if c.description != "" {
			w.comment("// ", c.description)
		}
		w.line("func Track%s(to analytics.Client, who Who, p %s) error {\n\tproperties := analytics.Properties{}\n%s\treturn send(to, who, %s, %s, properties)\n}",
			c.pascal, c.pascal, body.String(), quote(c.name), quote(c.label()))
	}
	if text, err := format.Source([]byte(w.String())); err == nil {
		w.Reset()
		w.Write(text)
	}
}

func kotlin(w *writer, calls []call) {
	w.line("// "+header, w.plan)
	w.line("package events\n\nimport com.segment.analytics.kotlin.core.Analytics\nimport kotlinx.serialization.json.*\n")
	w.line("private fun json(value: Any?): JsonElement = when (value) {\n    null -> JsonNull\n    is JsonElement -> value\n    is String -> JsonPrimitive(value)\n    is Number -> JsonPrimitive(value)\n" +
		"    is Boolean -> JsonPrimitive(value)\n    is List<*> -> JsonArray(value.map(::json))\n    is Map<*, *> -> JsonObject(value.entries.associate { it.key.toString() to json(it.value) })\n    else -> JsonPrimitive(value.toString())\n}\n")
	w.line("private fun Analytics.send(event: String, version: String, vararg properties: Pair<String, Any?>) {")
	w.line("    track(event, JsonObject(properties.filter { it.second != null }.associate { it.first to json(it.second) })) {")
	w.line("        it?.apply { context = JsonObject(context + (\"protocols\" to buildJsonObject { put(\"event_version\", version) })) }\n    }\n}")
	kinds := map[string]string{"string": "String", "number": "Double", "integer": "Long", "boolean": "Boolean", "object": "Map<String, Any?>"}
	of := func(kind string) string {
		if t := kinds[kind]; t != "" {
			return t
		}
		return "Any"
	}
	reserved := []string{"as", "break", "class", "continue", "do", "else", "false", "for", "fun", "if", "in", "interface", "is", "null", "object", "package", "return", "super",
		"this", "throw", "true", "try", "typealias", "typeof", "val", "var", "when", "while"}
	for _, c := range calls {
		w.line("")
		w.comment("// ", or(c.description, "Sends "+c.name+"."))
		names := namer{reserved: reserved}
		var params, pairs []string
		for _, f := range c.fields {
			t := of(f.kind)
			if f.kind == "array" {
				t = "List<" + of(f.item) + ">"
			}
			name := names.take(camel(f.name))
			if !f.required {
				t += "? = null"
			}
			params, pairs = append(params, name+": "+t), append(pairs, dollars(f.name)+" to "+name)
		}
		args := append([]string{dollars(c.name), quote(c.label())}, pairs...)
		w.line("fun Analytics.track%s(%s) =\n    send(%s)", c.pascal, strings.Join(params, ", "), strings.Join(args, ", "))
	}
}

func swift(w *writer, calls []call) {
	w.line("// "+header, w.plan)
	w.line("import Foundation\nimport Segment\n")
	kinds := map[string]string{"string": "String", "number": "Double", "integer": "Int", "boolean": "Bool", "object": "[String: Any]"}
	of := func(kind string) string {
		if t := kinds[kind]; t != "" {
			return t
		}
		return "Any"
	}
	reserved := []string{"as", "break", "case", "class", "continue", "default", "defer", "do", "else", "enum", "extension", "false", "for", "func", "guard", "if", "import", "in",
		"init", "inout", "is", "let", "nil", "operator", "private", "protocol", "public", "repeat", "return", "self", "static", "struct", "super", "switch", "throw", "true", "try", "var", "where", "while"}
	w.line("extension Analytics {")
	w.line("    private func send(_ event: String, _ version: String, _ properties: [String: Any?]) {")
	w.line("        track(name: event, properties: properties.compactMapValues { $0 }, enrichments: [{ event in")
	w.line("            var event = event\n            try? event?.context?.setValue([\"event_version\": version], forKeyPath: KeyPath(\"protocols\"))\n            return event\n        }])\n    }")
	for _, c := range calls {
		w.line("")
		w.comment("    /// ", or(c.description, "Sends "+c.name+"."))
		names := namer{reserved: reserved}
		var params, pairs []string
		for _, f := range c.fields {
			t := of(f.kind)
			if f.kind == "array" {
				t = "[" + of(f.item) + "]"
			}
			name := names.take(camel(f.name))
			if !f.required {
				t += "? = nil"
			}
			params, pairs = append(params, name+": "+t), append(pairs, quote(f.name)+": "+name)
		}
		body := strings.Join(pairs, ", ")
		if body == "" {
			body = ":"
		}
		w.line("    public func track%s(%s) {\n        send(%s, %s, [%s])\n    }", c.pascal, strings.Join(params, ", "), quote(c.name), quote(c.label()), body)
	}
	w.line("}")
}
