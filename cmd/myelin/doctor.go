package main

import (
	"context"
	"errors"
	"flag"
	"os"

	"myelin/internal/app"
)

// errUnsound makes the exit code 1 after the findings have been printed.
var errUnsound = errors.New("the data folder is not sound; see above")

func doctor(_ context.Context, args []string) error {
	fs := flag.NewFlagSet("doctor", flag.ContinueOnError)
	data := fs.String("data", "data", "the data `folder`; no myelin may be running on it")
	repair := fs.Bool("repair", false, "also do what cannot lose anything: build indexes anew, cut a torn end")
	if err := parse(fs, args, false); err != nil {
		return err
	}
	sound, err := app.Doctor(nil, *data, *repair, os.Stdout)
	if err == nil && !sound {
		err = errUnsound
	}
	return err
}
