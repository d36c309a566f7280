package pgtest_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/internal/pgtest"
)

// A program that is no test starts a cluster, uses it and closes it.
func ExampleNewCluster() {
	ctx := context.Background()
	c, err := pgtest.NewCluster(ctx)
	if err != nil {
		fmt.Println(err) // says what to install
		return
	}
	defer c.Close(ctx)
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close(ctx)
	fmt.Println(conn.Ping(ctx))
}
