package query

import (
	"context"
	"errors"
	"fmt"
)

// SQLSTATE codes that this stage uses (PostgreSQL appendix A).
const (
	CodeProtocolViolation   = "08P01"
	CodeFeatureNotSupported = "0A000"
	CodeInvalidText         = "22P02"
	CodeInvalidBinary       = "22P03"
	CodeInvalidParameter    = "22023"
	CodeActiveTransaction   = "25001"
	CodeReadOnly            = "25006"
	CodeNoTransaction       = "25P01"
	CodeFailedTransaction   = "25P02"
	CodeNoStatement         = "26000"
	CodeInvalidPassword     = "28P01"
	CodeInvalidAuth         = "28000"
	CodeNoDatabase          = "3D000"
	CodeNoCursor            = "34000"
	CodeNoSavepoint         = "3B001"
	CodeSyntax              = "42601"
	CodeUndefinedObject     = "42704"
	CodeUndefinedTable      = "42P01"
	CodeUndefinedParameter  = "42P02"
	CodeDuplicateCursor     = "42P03"
	CodeDuplicateStatement  = "42P05"
	CodeIndeterminateType   = "42P18"
	CodeTooManyRows         = "53400"
	CodeOutOfMemory         = "53200"
	CodeTooManyConnections  = "53300"
	CodeCanceled            = "57014"
	CodeShutdown            = "57P01"
	CodeStarting            = "57P03"
	CodeInternal            = "XX000"
)

// Error is a mistake or refusal that goes back to whoever asked.
type Error struct {
	// Code is an SQLSTATE.
	Code    string
	Message string
	Detail  string
	Hint    string
	// Position is the 1-based byte in the statement's text that the error points at; 0: none.
	Position int
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Errorf returns an Error with a formatted message.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Causes of a cancelled statement; context.Cause tells them apart.
var (
	ErrCanceled = &Error{Code: CodeCanceled, Message: "canceling statement due to user request"}
	ErrTimeout  = &Error{Code: CodeCanceled, Message: "canceling statement due to statement timeout",
		Hint: "Raise it with SET statement_timeout, or read less: add a WHERE or a LIMIT."}
	ErrShutdown = &Error{Code: CodeShutdown, Message: "terminating connection because the server is shutting down"}
)

// coded is implemented by errors of other packages that know their SQLSTATE.
type coded interface {
	error
	SQLState() string
}

// AsError turns any error into one that can be shown: it keeps codes and positions, and calls what it does not know an
// internal error.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var c coded
	if errors.As(err, &c) {
		return &Error{Code: c.SQLState(), Message: err.Error()}
	}
	if errors.Is(err, context.Canceled) {
		return ErrCanceled
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrTimeout
	}
	return &Error{Code: CodeInternal, Message: err.Error()}
}
