package config

import (
	"context"
	"errors"
	"testing"

	"github.com/belleville/belleville/authmw/token"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

// everybody is a store that knows every user.
type everybody struct{ tokenStore }

func (everybody) UserByField(context.Context, string, any, string) (sessionstore.TokenUser, error) {
	return sessionstore.TokenUser{User: &djangocompat.User{PK: djangocompat.IntPK(1), IsActive: true}}, nil
}

func TestATicketIsSpentThoughTheConfigurationIsReadAgain(t *testing.T) {
	const text = "[django]\nsecret_key = \"k\"\nallowed_hosts = [\"a\"]\ndatabase_url = \"sqlite:///a\"\n[[tokens]]\nkind = \"ticket\"\nfrom = [\"query\"]\nquery = \"ticket\"\n"
	parse := func() *Config {
		c, err := Parse([]byte(text+"[[routes]]\npath = \"a\"\nconsumer = \"echo\"\n"), nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	signer, err := djangocompat.NewTimestampSigner(parse().SigningKeys(), djangocompat.SignerConfig{Salt: "belleville.ticket"})
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := signer.SignObject(int64(1), djangocompat.Plain)
	if err != nil {
		t.Fatal(err)
	}
	c := parse()
	if err := verify(t, c, ticket); err != nil {
		t.Fatalf("the first time: %v", err)
	}
	next, _, err := c.Reloaded(parse())
	if err != nil {
		t.Fatal(err)
	}
	refusal, ok := errors.AsType[*token.Refusal](verify(t, next, ticket))
	if !ok || refusal.Reason != token.Spent {
		t.Errorf("after a reload: %v, want it spent", refusal)
	}
}

// verify shows a ticket to what a configuration makes.
func verify(t *testing.T, c *Config, ticket string) error {
	t.Helper()
	scheme, err := c.scheme(c.Tokens[0], everybody{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = scheme.Verifier.Verify(t.Context(), ticket, "a")
	return err
}
