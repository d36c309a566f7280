package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/belleville/belleville/authmw/live"
)

// kickCommand closes connections of a running server.
type kickCommand struct {
	configFlag
	User    string `xor:"whose" required:"" placeholder:"PK" help:"Those of a user, by the primary key."`
	Session bool   `xor:"whose" required:"" help:"Those of a session, whose key is read from standard input."`
	All     bool   `xor:"whose" required:"" help:"Those of everybody who is logged in."`
	Code    int    `placeholder:"CODE" help:"The close code: 1000, or 3000 to 4999. Default: 4403."`
	Reason  string `placeholder:"TEXT" help:"The reason in the close frame. Default: kicked."`
}

// Help is shown by --help.
func (*kickCommand) Help() string {
	return `Closes open connections of the server that listens on control_socket. Who is kicked may come back: it is the site that says who may.

Example:

  belleville kick --user 42
  belleville kick --all --code 4000 --reason "maintenance"
  echo "$SESSION_KEY" | belleville kick --session`
}

// Run implements the command.
func (c *kickCommand) Run(ctx context.Context, p *program) error {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	if cfg.ControlSocket == "" {
		return errNoControl
	}
	o := live.Order{All: c.All, Code: c.Code, Reason: c.Reason}
	if c.User != "" {
		o.User = c.User
	}
	if c.Session {
		key, err := readItem(p.in)
		if err != nil {
			return err
		}
		if o.Session = strings.TrimSpace(string(key)); o.Session == "" {
			return &usageError{"there is no session key on standard input"}
		}
	}
	n, err := order(ctx, cfg.ControlSocket, o)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "%d connections were closed\n", n)
	return err
}

// orderTimeout is how long a server may take for an order.
const orderTimeout = 30 * time.Second

// order sends an order to the server that listens on a socket, and returns how many connections it concerned.
func order(ctx context.Context, socket string, o live.Order) (int, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return 0, err
	}
	client := http.Client{Timeout: orderTimeout, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://control/orders", bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	answer, err := client.Do(r)
	if err != nil {
		return 0, errors.New("no server answers on control_socket: is it running, and are you its user?")
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxOrder))
	if err != nil {
		return 0, fmt.Errorf("read the answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return 0, errors.New(strings.TrimSpace(string(text)))
	}
	var result orderResult
	if err := json.Unmarshal(text, &result); err != nil {
		return 0, fmt.Errorf("read the answer: %w", err)
	}
	return result.Connections, nil
}
