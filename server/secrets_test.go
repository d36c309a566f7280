package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/internal/chaos"
	"github.com/belleville/belleville/server"
)

// secretText is the text of an error that no client may see.
const secretText = "password authentication failed for user app, sessionid=sekrit"

// indiscreet is a consumer that fails in one place, with an error or a panic that holds a secret.
type indiscreet struct{ where string }

func (i *indiscreet) at(where string) error {
	switch i.where {
	case where:
		return fmt.Errorf("look up the user: %w", errors.New(secretText))
	case "a panic in " + where:
		panic(secretText)
	}
	return nil
}

func (i *indiscreet) Connect(_ context.Context, c *consumers.Conn) error {
	if err := i.at("Connect"); err != nil {
		return err
	}
	return c.Accept()
}

func (i *indiscreet) Receive(_ context.Context, c *consumers.Conn, m consumers.Message) error {
	if m.Text() == "work" {
		c.Go(func(context.Context) error { return i.at("Go") })
		return nil
	}
	return i.at("Receive")
}

func (i *indiscreet) Disconnect(context.Context, *consumers.Conn, consumers.CloseCode) error {
	return i.at("Disconnect")
}

func TestT27NoAnswerHoldsTheTextOfAnError(t *testing.T) {
	places := []string{"Open", "Connect", "Receive", "Go", "Disconnect"}
	for _, place := range places {
		places = append(places, "a panic in "+place)
	}
	for _, where := range places {
		app := func() consumers.Application {
			i := &indiscreet{where}
			inner := consumers.New(func() *indiscreet { return i })
			return consumers.ApplicationFunc(func(ctx context.Context, s *consumers.Scope) (consumers.Instance, error) {
				if err := i.at("Open"); err != nil {
					return nil, err
				}
				return inner.Open(ctx, s)
			})
		}
		t.Run(where, func(t *testing.T) {
			onBoth(t, app, server.Config{Logger: quiet()}, func(t *testing.T, s *site) {
				p := s.raw(t)
				p.say(goodHead + frame(fText, "work") + frame(fText, "hello") + frame(fClose, closePayload(1000, "")))
				answer, err := io.ReadAll(p.r)
				if err != nil || len(answer) == 0 {
					t.Errorf("the answer has %d bytes, %v", len(answer), err)
				}
				if r, err := http.Get("http://" + s.addr + "/"); err == nil {
					var text strings.Builder
					_ = r.Write(&text)
					_ = r.Body.Close()
					answer = append(answer, text.String()...)
				}
				for word := range strings.FieldsSeq("password authentication app, sekrit sessionid look") {
					if strings.Contains(string(answer), word) {
						t.Errorf("the answer holds %q:\n%s", word, answer)
					}
				}
			})
		})
	}
	chaos.Row(t, chaos.Holds(!t.Failed()), "T27", fmt.Sprintf("errors and panics with a secret in %d places", len(places)), fmt.Sprint("failed: ", t.Failed()), "no word of it in an answer")
}
