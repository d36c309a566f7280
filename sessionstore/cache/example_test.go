package cache_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/belleville/belleville/pickle"
	"github.com/belleville/belleville/sessionstore/cache"
)

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example-") // in real life: LOCATION
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	c, err := cache.Open(cache.Config{Backend: cache.FileBased, Location: []string{dir}, KeyPrefix: "site"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()

	ctx := context.Background()
	greeting, err := pickle.Encode("hello") // as cache.set("greeting", "hello", 60) in Django
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Set(ctx, "greeting", greeting, time.Minute); err != nil {
		fmt.Println(err)
		return
	}
	found, err := c.GetMany(ctx, []string{"greeting", "farewell"})
	if err != nil {
		fmt.Println(err)
		return
	}
	value, err := pickle.Decode(found["greeting"].Value, pickle.Config{})
	fmt.Println(len(found), value, err)
	// Output: 1 hello <nil>
}
