package token

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"github.com/belleville/belleville/consumers"
)

// candidate is something that may be a token of a scheme.
type candidate struct {
	scheme *Scheme
	source Source
	token  string
	odd    bool // it stands where a token should, and is none
}

// gather returns what a request has for tokens, in the order in which they are tried, and takes out of the Scope
// what must not be found there any more. The Scope is the caller's own.
func (a *Authenticator) gather(s *consumers.Scope) []candidate {
	var found []candidate
	for _, scheme := range a.schemes {
		for _, source := range scheme.Sources {
			if c, ok := scheme.find(s, source); ok {
				c.scheme, c.source = scheme, source
				found = append(found, c)
			}
		}
	}
	a.scrub(s)
	return found
}

// find looks for a token in one source. The first message is not here yet.
func (s *Scheme) find(scope *consumers.Scope, source Source) (candidate, bool) {
	switch source {
	case Header:
		return s.fromHeader(scope.Header)
	case Subprotocol:
		return s.fromSubprotocols(scope.Subprotocols)
	case Cookie:
		v, ok := scope.Cookies[s.Cookie]
		return candidate{token: strings.Clone(v)}, ok && v != ""
	case Query:
		return s.fromQuery(scope.Query)
	}
	return candidate{}, false
}

// fromHeader reads the Authorization header as Django REST framework does: words between white space, of which
// the first one is the keyword. A second such header is odd.
func (s *Scheme) fromHeader(h consumers.Header) (candidate, bool) {
	var c candidate
	headers, ours := 0, false
	for v := range h.Values("authorization") {
		headers++
		if len(v) > MaxSize+256 {
			v = v[:MaxSize+256] // the token in it is too large
		}
		words := strings.FieldsFunc(v, func(r rune) bool { return r == ' ' || '\t' <= r && r <= '\r' })
		if len(words) == 0 || !s.isKeyword(words[0]) {
			continue
		}
		ours = true
		if len(words) != 2 {
			c.odd = true
			continue
		}
		c.token = strings.Clone(words[1])
	}
	c.odd = c.odd || headers > 1
	return c, ours
}

func (s *Scheme) isKeyword(word string) bool {
	return slices.ContainsFunc(s.Keywords, func(k string) bool {
		return word == k || s.folds() && strings.EqualFold(word, k)
	})
}

// fromSubprotocols takes the offer behind the Scheme's own. What signing.dumps makes has a ":", which no offer may
// have; it comes in base64url.
func (s *Scheme) fromSubprotocols(offers []string) (candidate, bool) {
	i := slices.Index(offers, s.Subprotocol)
	if i < 0 {
		return candidate{}, false
	}
	if i+1 == len(offers) {
		return candidate{odd: true}, true
	}
	text := offers[i+1]
	if _, signed := s.Verifier.(signedKind); signed && len(text) <= 2*MaxSize {
		plain, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
		return candidate{token: string(plain), odd: err != nil}, true
	}
	return candidate{token: text}, true
}

// fromQuery takes the parameter, which may be there once.
func (s *Scheme) fromQuery(query string) (candidate, bool) {
	var c candidate
	times := 0
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		if !s.isParameter(name) {
			continue
		}
		times++
		text, err := url.QueryUnescape(value[:min(len(value), 3*MaxSize+3)])
		c.token, c.odd = text, c.odd || err != nil
	}
	c.odd = c.odd || times > 1
	return c, times > 0
}

// isParameter reports whether a name in a query, escaped, is the Scheme's.
func (s *Scheme) isParameter(escaped string) bool {
	name, err := url.QueryUnescape(escaped)
	return err == nil && name == s.Query
}

// scrub takes the tokens out of the query and of the offers of subprotocols, whatever they are worth. What was
// offered before a token is what the handshake is answered with, unless the consumer chooses another.
func (a *Authenticator) scrub(s *consumers.Scope) {
	for _, scheme := range a.schemes {
		if slices.Contains(scheme.Sources, Query) && s.Query != "" {
			s.Query = withoutParameter(s.Query, scheme)
		}
		if i := slices.Index(s.Subprotocols, scheme.Subprotocol); i >= 0 && slices.Contains(scheme.Sources, Subprotocol) {
			end := min(i+2, len(s.Subprotocols))
			s.Subprotocols = slices.Concat(s.Subprotocols[:i], s.Subprotocols[end:])
			s.Subprotocol = scheme.Subprotocol
			s.Header = withoutOffers(s.Header, s.Subprotocols)
		}
	}
}

// withoutParameter returns a query without the Scheme's parameter.
func withoutParameter(query string, s *Scheme) string {
	parts := strings.Split(query, "&")
	parts = slices.DeleteFunc(parts, func(part string) bool {
		name, _, _ := strings.Cut(part, "=")
		return s.isParameter(name)
	})
	return strings.Join(parts, "&")
}

// withoutOffers returns a copy of h whose offers of subprotocols are these.
func withoutOffers(h consumers.Header, offers []string) consumers.Header {
	out := make(consumers.Header, 0, len(h))
	for _, f := range h {
		if f.Name != "sec-websocket-protocol" {
			out = append(out, f)
		}
	}
	if len(offers) > 0 {
		out = append(out, consumers.HeaderField{Name: "sec-websocket-protocol", Value: strings.Join(offers, ", ")})
	}
	return out
}
