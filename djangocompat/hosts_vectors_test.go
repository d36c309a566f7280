package djangocompat_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/belleville/belleville/djangocompat"
)

type hostInput struct {
	Op       string             `json:"op"`
	Host     string             `json:"host"`
	Hosts    []string           `json:"allowed_hosts"`
	Pattern  string             `json:"pattern"`
	Environ  map[string]*string `json:"environ"`
	Settings struct {
		AllowedHosts     []string `json:"ALLOWED_HOSTS"`
		Debug            bool     `json:"DEBUG"`
		UseForwardedHost bool     `json:"USE_X_FORWARDED_HOST"`
		UseForwardedPort bool     `json:"USE_X_FORWARDED_PORT"`
	} `json:"settings"`
}

type hostExpect struct {
	Result json.RawMessage `json:"result"`
	Raises string          `json:"raises"`
}

// TestHostVectors runs each operation of hosts.json.
func TestHostVectors(t *testing.T) {
	older := exceptions{
		"split_domain_port/'example.com:٣' @3.2":         "3.2 takes digits of any script in a port",
		"get_host/listed/'example.com:٣' @3.2":           "3.2 takes digits of any script in a port",
		"get_host/star/'example.com:٣' @3.2":             "3.2 takes digits of any script in a port",
		`split_domain_port/'example.com\n' @3.2,4.1,4.2`: "before 5.0 a line feed may end a host",
		`get_host/listed/'example.com\n' @3.2,4.1,4.2`:   "before 5.0 a line feed may end a host",
		`get_host/star/'example.com\n' @3.2,4.1,4.2`:     "before 5.0 a line feed may end a host",
	}
	for _, v := range vectors[hostInput, hostExpect](t, "hosts.json", "") {
		t.Run(v.Name, func(t *testing.T) {
			older.skip(t, v.Name)
			var got any
			var err error
			switch in := v.Input; in.Op {
			case "split_domain_port":
				domain, port := djangocompat.SplitDomainPort(in.Host)
				got = []any{domain, port}
			case "validate_host":
				got = djangocompat.HostAllowed(in.Host, in.Hosts)
			case "is_same_domain":
				got = djangocompat.IsSameDomain(in.Host, in.Pattern)
			case "get_host":
				got, err = requestHost(t, in)
			default:
				t.Fatalf("unknown operation %q", in.Op)
			}
			if v.Expect.Raises != "" {
				if !errors.Is(err, djangocompat.ErrDisallowedHost) {
					t.Errorf("got %v, %v, want ErrDisallowedHost", got, err)
				}
				return
			}
			if err != nil || !sameValue(t, got, v.Expect.Result) {
				t.Errorf("got %v, %v, want %s", got, err, v.Expect.Result)
			}
		})
	}
}

func requestHost(t *testing.T, in hostInput) (string, error) {
	t.Helper()
	if in.Settings.UseForwardedPort {
		t.Fatal("USE_X_FORWARDED_PORT is not known here")
	}
	return djangocompat.RequestHost(djangocompat.HostRequest{
		Host:          in.Environ["HTTP_HOST"],
		ForwardedHost: in.Environ["HTTP_X_FORWARDED_HOST"],
		ServerName:    *in.Environ["SERVER_NAME"],
		ServerPort:    *in.Environ["SERVER_PORT"],
	}, djangocompat.HostSettings{
		AllowedHosts:     in.Settings.AllowedHosts,
		Debug:            in.Settings.Debug,
		UseForwardedHost: in.Settings.UseForwardedHost,
	})
}
