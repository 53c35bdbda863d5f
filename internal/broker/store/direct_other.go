//go:build !linux

package store

import "errors"

func openOwnDirect(string) (DirectFile, error) { return nil, errors.ErrUnsupported }
