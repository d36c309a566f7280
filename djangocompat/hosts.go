package djangocompat

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// ErrDisallowedHost means that a request names a host that is not in ALLOWED_HOSTS.
// Python: django.core.exceptions.DisallowedHost.
var ErrDisallowedHost = errors.New("djangocompat: disallowed host")

// SplitDomainPort splits the value of a Host header into the domain, in small letters and without a dot at
// its end, and the port. Both are "" if it is no host at all.
// Python: django.http.request.split_domain_port.
func SplitDomainPort(host string) (domain, port string) {
	host, ok := lowerASCII(host)
	if !ok {
		return "", ""
	}
	name, rest := host, ""
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']') + 1
		name, rest = host[:end], host[end:]
	} else if i := strings.IndexByte(host, ':'); i >= 0 {
		name, rest = host[:i], host[i:]
	}
	if !isDomain(name) && !isIPv6(name) || !isPort(rest) {
		return "", ""
	}
	if name[0] != '[' {
		name = strings.TrimSuffix(name, ".")
	}
	return name, strings.TrimPrefix(rest, ":")
}

func isDomain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' {
			return false
		}
	}
	return s != ""
}

// isIPv6 reports whether s is in brackets what Django takes for an address: hexadecimal digits, a colon,
// then at least one more digit, colon or dot.
func isIPv6(s string) bool {
	if len(s) < 2 || s[0] != '[' || s[len(s)-1] != ']' {
		return false
	}
	head, tail, ok := strings.Cut(s[1:len(s)-1], ":")
	const hexadecimal = "0123456789abcdef"
	return ok && tail != "" && strings.Trim(head, hexadecimal) == "" && strings.Trim(tail, hexadecimal+":.") == ""
}

func isPort(s string) bool {
	return s == "" || len(s) > 1 && s[0] == ':' && strings.Trim(s[1:], "0123456789") == ""
}

// lowerASCII returns s in small letters; ok is false if s has a byte that is not ASCII.
func lowerASCII(s string) (lower string, ok bool) {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return "", false
		}
	}
	return strings.ToLower(s), true
}

// HostAllowed reports whether hosts, the site's ALLOWED_HOSTS, lets host in: a domain as SplitDomainPort
// returns it. Python: django.http.request.validate_host.
func HostAllowed(host string, hosts []string) bool {
	for _, pattern := range hosts {
		if pattern == "*" || IsSameDomain(host, pattern) {
			return true
		}
	}
	return false
}

// IsSameDomain reports whether host is pattern, or a subdomain of it if pattern begins with a dot.
// Python: django.utils.http.is_same_domain.
func IsSameDomain(host, pattern string) bool {
	if pattern == "" {
		return false
	}
	pattern = strings.ToLower(pattern)
	return host == pattern || pattern[0] == '.' && (strings.HasSuffix(host, pattern) || host == pattern[1:])
}

// HostRequest is what a request says about the host it is for.
type HostRequest struct {
	// Host is the Host header, or nil.
	Host *string
	// ForwardedHost is the X-Forwarded-Host header, or nil.
	ForwardedHost *string
	// ServerName and ServerPort say where the server listens: for a request without a Host.
	ServerName, ServerPort string
	// Secure says that the request came over TLS.
	Secure bool
}

// HostSettings are the settings that say which hosts a site answers for.
type HostSettings struct {
	// AllowedHosts is ALLOWED_HOSTS.
	AllowedHosts []string
	// Debug is DEBUG: with no AllowedHosts, localhost is allowed.
	Debug bool
	// UseForwardedHost is USE_X_FORWARDED_HOST.
	UseForwardedHost bool
}

// RequestHost returns the host that a request is for, or ErrDisallowedHost.
// Python: HttpRequest.get_host.
func RequestHost(r HostRequest, cfg HostSettings) (string, error) {
	host := r.rawHost(cfg)
	hosts := cfg.AllowedHosts
	if cfg.Debug && len(hosts) == 0 {
		hosts = []string{".localhost", "127.0.0.1", "[::1]"}
	}
	domain, _ := SplitDomainPort(host)
	if domain == "" || !HostAllowed(domain, hosts) {
		return "", ErrDisallowedHost
	}
	return host, nil
}

func (r HostRequest) rawHost(cfg HostSettings) string {
	switch {
	case cfg.UseForwardedHost && r.ForwardedHost != nil:
		return *r.ForwardedHost
	case r.Host != nil:
		return *r.Host
	}
	usual := "80"
	if r.Secure {
		usual = "443"
	}
	if r.ServerPort == usual {
		return r.ServerName
	}
	return r.ServerName + ":" + r.ServerPort
}
