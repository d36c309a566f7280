package sessionstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// exampleSite is a copy of the SQLite database of a Django site, in a folder of its own.
func exampleSite() (url djangocompat.Secret, remove func()) {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	path := dir + "/db.sqlite3"
	if err := unpack("testdata/db.sqlite3.gz", path); err != nil {
		panic(err)
	}
	return sqliteURL(path), func() { _ = os.RemoveAll(dir) }
}

func ExampleOpen() {
	url, remove := exampleSite() // in real life: DATABASE_URL
	defer remove()
	ctx := context.Background()
	store, err := sessionstore.Open(ctx, sessionstore.Config{
		DatabaseURL: url,
		Keys:        djangocompat.NewKeys(`django-insecure-oj%ljn#*xdfose+up!&29*hz7me)qk6$gnwxp(4r0hy8u$uz&-`), // SECRET_KEY
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()

	session, err := store.Load(ctx, "06cxm3903lo16j5oh9iu24wqomyl2oqd") // the sessionid cookie
	if errors.Is(err, sessionstore.ErrUnavailable) {
		fmt.Println("503") // nobody is anonymous because the database is away
		return
	}
	user, err := store.User(ctx, session)
	fmt.Println(user.Username, user.IsAuthenticated(), err)
	// Output: alicevml true <nil>
}

func ExampleStore_Login() {
	url, remove := exampleSite()
	defer remove()
	ctx := context.Background()
	store, err := sessionstore.Open(ctx, sessionstore.Config{DatabaseURL: url, Keys: djangocompat.NewKeys("another key")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()

	alice, err := store.Authenticate(ctx, "alicevml", "pw-4XezrU4P")
	if err != nil {
		fmt.Println(err)
		return
	}
	session, err := store.Load(ctx, "") // the visitor has no cookie yet
	if err != nil {
		fmt.Println(err)
		return
	}
	session.Set("theme", "dark")
	if err := store.Login(ctx, session, alice); err != nil {
		fmt.Println(err)
		return
	}
	again, err := store.Load(ctx, session.Key()) // session.Key() is the new cookie
	if err != nil {
		fmt.Println(err)
		return
	}
	user, reason, err := store.Verdict(ctx, again)
	theme, _ := again.GetString("theme")
	fmt.Println(user.Username, reason, theme, err)
	// Output: alicevml logged_in dark <nil>
}
