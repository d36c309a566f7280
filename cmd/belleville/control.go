package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/belleville/belleville/authmw/live"
	"github.com/belleville/belleville/server"
)

// maxOrder bounds what is read of an order, in bytes.
const maxOrder = 64 << 10

// controlMode is who may control the process: its own user.
const controlMode = 0o600

// listenControl listens on a socket file that only our own user can open.
func listenControl(path string) (net.Listener, error) {
	l, err := server.Listen("unix:" + path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, controlMode); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("make the socket private: %w", err)
	}
	return l, nil
}

// controlHandler executes what operators want.
func (s *site) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		var o live.Order
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
		d.DisallowUnknownFields()
		n, err := 0, d.Decode(&o)
		if err == nil {
			n, err = s.following.live.Execute(o)
		}
		if err != nil {
			http.Error(w, live.ErrOrder.Error(), http.StatusBadRequest)
			return
		}
		s.logger.Info("an operator's order was executed", "connections", n)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(orderResult{n}) // the client may be gone
	})
	return mux
}

// orderResult is what became of an order.
type orderResult struct {
	Connections int `json:"connections"`
}

// errNoControl means that no process can be controlled.
var errNoControl = errors.New("control_socket is not in the configuration: name a file, as in control_socket = \"/run/belleville/control.sock\"")
