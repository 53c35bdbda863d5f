// Package sql reads the SQL dialect: text to syntax tree, with the line and column of every mistake and a hint.
package sql

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is a mistake in a SQL text.
type Error struct {
	Msg  string
	Hint string // what to do next; may be empty
	// Code is the PostgreSQL SQLSTATE.
	Code string
	// Pos is the byte offset in the text; Line and Column count from 1, Column in characters. Line 0: no position.
	Pos, Line, Column int
	// endless: a quote or comment is never closed, so that nothing behind it can be read.
	endless bool
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", e.Line, e.Column)
	}
	b.WriteString(e.Msg)
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// SQLSTATE codes that this package and the binder use.
const (
	CodeSyntax           = "42601"
	CodeUndefinedColumn  = "42703"
	CodeUndefinedTable   = "42P01"
	CodeUndefinedFunc    = "42883"
	CodeUndefinedObject  = "42704"
	CodeAmbiguousColumn  = "42702"
	CodeDuplicate        = "42712"
	CodeType             = "42804"
	CodeGrouping         = "42803"
	CodeInvalidText      = "22P02"
	CodeNotSupported     = "0A000"
	CodeInvalidParameter = "22023"
	CodeTooComplex       = "54001"
)

// At returns an error at a byte offset of text.
func At(text string, pos int, code, format string, args ...any) *Error {
	e := &Error{Msg: fmt.Sprintf(format, args...), Code: code, Pos: pos}
	e.locate(text)
	return e
}

// WithHint sets the hint.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// locate computes line and column from Pos.
func (e *Error) locate(text string) {
	pos := min(max(e.Pos, 0), len(text))
	head := text[:pos]
	e.Line = 1 + strings.Count(head, "\n")
	e.Column = 1 + utf8.RuneCountInString(head[strings.LastIndexByte(head, '\n')+1:])
}

// Item is one statement of a script: the statement or what is wrong with it.
type Item struct {
	Stmt Statement
	Err  *Error
	// Text is the statement as written, without the semicolon; Pos is where it starts in the script.
	Text string
	Pos  int
}

// Parse reads a script of statements separated by semicolons. It goes on behind a statement that is wrong. Positions in
// the trees and errors refer to the whole text.
func Parse(text string) []Item {
	var items []Item
	for from := 0; ; {
		toks, err := lex(text, from)
		items = append(items, split(text, toks, err)...)
		if err == nil || err.endless {
			return items
		}
		// What stands before the bad character was read; go on behind the statement that holds it.
		n := strings.IndexByte(text[err.Pos:], ';')
		if n < 0 {
			return items
		}
		from = err.Pos + n + 1
	}
}

// split parses the statements of a token list. A list that ends in an error ends in a statement with that error.
func split(text string, toks []token, err *Error) []Item {
	var items []Item
	for start := 0; start < len(toks); {
		end := start
		for end < len(toks) && toks[end].kind != tEOF && !toks[end].is(";") {
			end++
		}
		if end == len(toks) {
			break // cut off by the error
		}
		if end > start {
			items = append(items, parseItem(text, toks[start:end]))
		}
		toks = toks[end+1:]
	}
	if err != nil {
		pos := err.Pos
		if len(toks) > 0 {
			pos = toks[0].pos
		}
		items = append(items, Item{Err: err, Text: text[pos:], Pos: pos})
	}
	return items
}

func parseItem(text string, toks []token) Item {
	end := toks[len(toks)-1].end
	p := &parser{text: text, toks: append(toks[:len(toks):len(toks)], token{kind: tEOF, pos: end, end: end})}
	item := Item{Text: text[toks[0].pos:end], Pos: toks[0].pos}
	item.Stmt, item.Err = p.parse()
	return item
}

// ParseOne reads exactly one statement.
func ParseOne(text string) (Statement, error) {
	items := Parse(text)
	switch {
	case len(items) == 0:
		return nil, At(text, len(text), CodeSyntax, "the statement is empty")
	case items[0].Err != nil:
		return nil, items[0].Err
	case len(items) > 1:
		return nil, At(text, items[1].Pos, CodeSyntax, "only one statement is expected here").
			WithHint("remove what follows the semicolon")
	}
	return items[0].Stmt, nil
}

// ParseExpr reads one expression, for tests and generated columns.
func ParseExpr(text string) (Expr, error) {
	toks, err := lex(text, 0)
	if err != nil {
		return nil, err
	}
	p := &parser{text: text, toks: toks}
	var e Expr
	err = p.guard(func() {
		e = p.expr()
		if p.cur().kind != tEOF {
			p.unexpected("the end of the expression")
		}
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}
