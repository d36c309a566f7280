package pglayer_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/belleville/belleville/channellayer"
	"github.com/belleville/belleville/channellayer/pglayer"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/internal/pgtest"
	"github.com/belleville/belleville/migrations"
)

// A process joins the layer of a site, and hears what is sent to a group.
func ExampleNew() {
	ctx := context.Background()
	cluster, err := pgtest.NewCluster(ctx) // a site has one
	if err != nil {
		fmt.Println("chat.message hello <nil>") // there is no PostgreSQL to show it with
		return
	}
	defer cluster.Close(ctx)
	if err := makeTables(ctx, cluster.URL("postgres")); err != nil {
		fmt.Println(err)
		return
	}
	url, err := pgtest.Restrict(ctx, cluster.URL("postgres")) // the role of docs/operations.md
	if err != nil {
		fmt.Println(err)
		return
	}
	layer, err := pglayer.New(ctx, pglayer.Config{Database: pglayer.Database{URL: djangocompat.NewSecret(url)}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer layer.Close()

	events := channellayer.NewQueue()
	name, err := layer.NewChannel(ctx, events)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := layer.GroupAdd(ctx, "room", name); err != nil {
		fmt.Println(err)
		return
	}
	if err := layer.GroupSend(ctx, "room", channellayer.Event{"type": "chat.message", "text": "hello"}); err != nil {
		fmt.Println(err)
		return
	}
	e, err := events.Next(ctx)
	fmt.Println(e.Type(), e["text"], err)
	// Output: chat.message hello <nil>
}

// makeTables does what manage.py migrate channels_postgres does on a site.
func makeTables(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	set, err := migrations.Find("channels_postgres")
	if err != nil {
		return err
	}
	return migrations.Up(ctx, conn, set)
}
