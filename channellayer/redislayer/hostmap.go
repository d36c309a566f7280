package redislayer

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
)

// hostMap reads a table of connection arguments. It keeps the first error.
type hostMap struct {
	fields map[string]any
	known  []string
	err    error
}

// parseMap reads a host that is a table.
func parseMap(fields map[string]any) (Host, error) {
	m := &hostMap{fields: fields}
	var h Host
	if address := m.text("address"); address != "" {
		parsed, err := parseURL(address)
		if err != nil {
			return Host{}, err
		}
		h = parsed
	} else {
		h = m.arguments()
	}
	if db, given := m.number("db"); given {
		h.DB = db
	}
	h.Username = orElse(m.text("username"), h.Username)
	h.Password = orElse(m.text("password"), h.Password)
	h.CAFile = orElse(m.text("ssl_ca_certs"), h.CAFile)
	h.SkipVerify = m.text("ssl_cert_reqs") == "none" || h.SkipVerify
	m.refuseOthers()
	return h, m.err
}

// arguments reads where the host is from the arguments of redis-py's connections.
func (m *hostMap) arguments() Host {
	h := Host{Network: "tcp", MasterName: m.text("master_name")}
	if m.truth("ssl") {
		h.Network = "tls"
	}
	m.sentinels(&h)
	if path := m.text("path"); path != "" {
		h.Network, h.Address = "unix", path
		return h
	}
	host, port := m.text("host"), 6379
	if n, given := m.number("port"); given {
		port = n
	}
	if h.MasterName == "" {
		h.Address = net.JoinHostPort(orElse(host, "localhost"), strconv.Itoa(port))
	}
	return h
}

// sentinels reads what belongs to master_name.
func (m *hostMap) sentinels(h *Host) {
	list, _ := m.take("sentinels").([]any)
	for _, v := range list {
		pair, _ := v.([]any)
		sentinel, err := parsePair(pair)
		m.note(err)
		h.Sentinels = append(h.Sentinels, sentinel.Address)
	}
	if (h.MasterName == "") != (len(h.Sentinels) == 0) {
		m.note(errors.New("redislayer: a host has only one of sentinels and master_name"))
	}
	kwargs, _ := m.take("sentinel_kwargs").(map[string]any)
	inner := &hostMap{fields: kwargs}
	h.SentinelUsername, h.SentinelPassword = inner.text("username"), inner.text("password")
	inner.refuseOthers()
	m.note(inner.err)
}

// take returns the value of a key, nil where it is missing, and makes the key a known one.
func (m *hostMap) take(key string) any {
	m.known = append(m.known, key)
	return m.fields[key]
}

func (m *hostMap) text(key string) string {
	switch v := m.take(key).(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		m.note(fmt.Errorf("redislayer: a host's %s is no string", key))
		return ""
	}
}

func (m *hostMap) number(key string) (int, bool) {
	v := m.take(key)
	if v == nil {
		return 0, false
	}
	n, ok := number(v)
	if !ok || n < 0 || n > 65535 {
		m.note(fmt.Errorf("redislayer: a host's %s is no number that it may have", key))
	}
	return n, true
}

func (m *hostMap) truth(key string) bool {
	v, _ := m.take(key).(bool)
	return v
}

// refuseOthers notes an error for a key that nobody took.
func (m *hostMap) refuseOthers() {
	for key := range m.fields {
		if !slices.Contains(m.known, key) {
			m.note(fmt.Errorf("redislayer: a host has the key %.40q, which is not known here", key))
		}
	}
}

func (m *hostMap) note(err error) {
	if m.err == nil {
		m.err = err
	}
}
