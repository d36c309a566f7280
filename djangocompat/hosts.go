package djangocompat

import "errors"

// ErrDisallowedHost means that a request names a host that is not in ALLOWED_HOSTS.
// Python: django.core.exceptions.DisallowedHost.
var ErrDisallowedHost = errors.New("djangocompat: disallowed host")

// SplitDomainPort splits the value of a Host header into the lower-case domain and the port. Both are ""
// if it is no host at all. Python: django.http.request.split_domain_port.
func SplitDomainPort(host string) (domain, port string) { return "", "" }

// HostAllowed reports whether hosts, the site's ALLOWED_HOSTS, lets host in.
// Python: django.http.request.validate_host.
func HostAllowed(host string, hosts []string) bool { return false }

// IsSameDomain reports whether host is pattern, or a subdomain of it if pattern begins with a dot.
// Python: django.utils.http.is_same_domain.
func IsSameDomain(host, pattern string) bool { return false }

// HostRequest is what a request says about the host it is for.
type HostRequest struct {
	Host          string // the Host header; "" if there is none
	ForwardedHost string // the X-Forwarded-Host header
	ServerName    string // where the server listens, for a request without a Host
	ServerPort    string
	Secure        bool // the request came over TLS
}

// HostSettings are the settings that say which hosts a site answers for.
type HostSettings struct {
	// AllowedHosts is ALLOWED_HOSTS.
	AllowedHosts []string
	// Debug is DEBUG: if AllowedHosts is empty, localhost is allowed.
	Debug bool
	// UseForwardedHost is USE_X_FORWARDED_HOST.
	UseForwardedHost bool
}

// RequestHost returns the host that a request is for, or ErrDisallowedHost.
// Python: HttpRequest.get_host.
func RequestHost(r HostRequest, cfg HostSettings) (string, error) { return "", ErrDisallowedHost }
