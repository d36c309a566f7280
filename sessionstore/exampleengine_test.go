package sessionstore_test

import (
	"context"
	"fmt"
	"os"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
	"github.com/belleville/belleville/sessionstore/cache"
)

// A site whose SESSION_ENGINE is signed_cookies: the session is the cookie, and each save makes a new one.
func ExampleOpen_signedCookies() {
	ctx := context.Background()
	store, err := sessionstore.Open(ctx, sessionstore.Config{
		Keys:          djangocompat.NewKeys("SECRET_KEY of settings.py"),
		SessionEngine: sessionstore.EngineSignedCookies, // without a DatabaseURL everybody is anonymous
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()

	session, err := store.Load(ctx, "") // the visitor has no cookie yet
	if err != nil {
		fmt.Println(err)
		return
	}
	session.Set("theme", "dark")
	if err := session.Save(ctx); err != nil {
		fmt.Println(err)
		return
	}
	again, err := store.Load(ctx, session.Key()) // session.Key() is what the cookie is to be set to
	fmt.Println(string(again.Data().JSON()), err)
	// Output: {"theme":"dark"} <nil>
}

// A site whose SESSION_ENGINE is cache. CACHES says where it is.
func ExampleOpen_cache() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()
	store, err := sessionstore.Open(ctx, sessionstore.Config{
		Keys:          djangocompat.NewKeys("SECRET_KEY of settings.py"),
		SessionEngine: sessionstore.EngineCache,
		SessionCache:  cache.Config{Backend: cache.FileBased, Location: []string{dir}}, // or cache.Redis, …
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()

	session, err := store.Load(ctx, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	session.Set("visits", 1)
	fmt.Println(session.Save(ctx), len(session.Key()))
	// Output: <nil> 32
}
