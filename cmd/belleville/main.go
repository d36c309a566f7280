// Command belleville holds the WebSockets of a Django site: it serves the routes of a configuration file,
// and looks into what Django stores.
//
// Start with "belleville demo", or with "belleville --help".
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // a container may have no time zones of its own
)

func main() {
	p := program{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(), lifetime: untilSignal}
	os.Exit(p.run(os.Args[1:]))
}

// untilSignal returns a context that the first SIGINT or SIGTERM ends. A second one ends the process at once.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2) // two are all that count
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() { // lives as long as the process
		<-signals
		cancel()
		<-signals
		os.Exit(exitFailure)
	}()
	return ctx
}
