// Rundemo runs the example site in examples/django: PostgreSQL in a temporary folder, Django, and Belleville beside
// it, until it is interrupted. It leaves nothing behind.
//
//	go run ./examples/django/rundemo
//
// It is run in the project's folder, and needs Go, PostgreSQL, and a Python with Django and psycopg2.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	var where addresses
	flag.StringVar(&where.django, "django", "127.0.0.1:8000", "where Django listens")
	flag.StringVar(&where.belleville, "belleville", "127.0.0.1:8001", "where Belleville listens")
	flag.StringVar(&where.admin, "admin", "127.0.0.1:9001", "where Belleville's metrics and health are")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, where, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "rundemo:", err)
		os.Exit(1)
	}
}
