package token

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

const (
	// keysFresh is how long keys are used before they are fetched anew. As PyJWT's client.
	keysFresh = 5 * time.Minute
	// keysGood is how long keys are used that cannot be fetched anew.
	keysGood = 24 * time.Hour
	// keysPause is how long it is waited after one fetch until the next.
	keysPause = 10 * time.Second
	// fetchTimeout bounds a fetch.
	fetchTimeout = 5 * time.Second
	// maxKeySet bounds what is fetched, in bytes, and maxKeys the keys in it.
	maxKeySet = 256 << 10
	maxKeys   = 64
)

// jwks are the public keys behind a URL. They are fetched in the background, never by a handshake: what cannot be
// decided with the keys that are there is ErrUnavailable while others may be on their way. There is no goroutine
// but during a fetch, which ends by itself.
type jwks struct {
	// Set at birth, never changed.
	url       string
	algorithm string
	client    *http.Client
	now       func() time.Time

	mu       sync.Mutex // guards the fields below
	keys     keyfunc.Keyfunc
	fetched  time.Time // when keys came; zero if never
	tried    time.Time // when the last fetch began; zero if never
	fetching bool
}

// checkURL refuses a URL that keys should not come from.
func (c JWTConfig) checkURL() error {
	if c.Algorithm[:2] == "HS" {
		return &SettingError{"jwk_url", "it is set, and " + c.Algorithm + " has no public keys", "set algorithm, or take it out"}
	}
	if c.VerifyingKey != "" {
		return &SettingError{"jwk_url", "verifying_key is set, too", "keep one of them"}
	}
	if u, err := url.Parse(c.JWKURL); err != nil || !trusted(u) {
		return &SettingError{"jwk_url", "it is no https URL", `write it as in "https://example.com/.well-known/jwks.json"`}
	}
	return nil
}

func newJWKS(cfg JWTConfig) *jwks {
	client := http.Client{Timeout: fetchTimeout}
	if cfg.Client != nil {
		client = *cfg.Client
	}
	client.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) > 2 || !trusted(r.URL) {
			return errors.New("token: redirected too far")
		}
		return nil
	}
	j := &jwks{url: cfg.JWKURL, algorithm: cfg.Algorithm, client: &client, now: cfg.Now}
	j.mu.Lock()
	j.fetchLocked()
	j.mu.Unlock()
	return j
}

// trusted reports whether nobody in between can change what is at a URL.
func trusted(u *url.URL) bool {
	if u.Scheme == "https" {
		return u.Host != ""
	}
	host, _, err := net.SplitHostPort(u.Host)
	if err != nil {
		host = u.Host
	}
	ip, err := netip.ParseAddr(host)
	return u.Scheme == "http" && (host == "localhost" || err == nil && ip.IsLoopback())
}

// find returns the key that a token's header names, or all keys if it names none.
func (j *jwks) find(header map[string]any) (any, error) {
	keys, err := j.current()
	if err != nil {
		return nil, err
	}
	key, err := keys.Keyfunc(&jwt.Token{Header: header})
	if set, ok := key.(jwt.VerificationKeySet); ok && err == nil {
		key, err = j.fitting(set)
	} else if err == nil && !keyFits(j.algorithm, key) {
		err = errKeyKind
	}
	if err == nil {
		return key, nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fetchLocked() {
		return nil, ErrUnavailable // the key may be a new one
	}
	return nil, refuse(UnknownKey)
}

// fitting returns the keys that are for the algorithm.
func (j *jwks) fitting(set jwt.VerificationKeySet) (jwt.VerificationKeySet, error) {
	var out jwt.VerificationKeySet
	for _, k := range set.Keys {
		if keyFits(j.algorithm, k) {
			out.Keys = append(out.Keys, k)
		}
	}
	if len(out.Keys) == 0 {
		return out, errKeyKind
	}
	return out, nil
}

// current returns the keys as far as they are known.
func (j *jwks) current() (keyfunc.Keyfunc, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	age := j.now().Sub(j.fetched)
	if j.keys == nil || age > keysFresh {
		j.fetchLocked()
	}
	if j.keys == nil || age > keysGood {
		return nil, ErrUnavailable
	}
	return j.keys, nil
}

// fetchLocked sees to it that keys are fetched, and reports whether they are on their way. It does nothing so soon
// after the last time: who sends tokens with invented keys must not make us ask.
func (j *jwks) fetchLocked() bool {
	if j.fetching {
		return true
	}
	now := j.now()
	if !j.tried.IsZero() && now.Sub(j.tried) < keysPause {
		return false
	}
	j.fetching, j.tried = true, now
	go j.refresh()
	return true
}

// refresh fetches keys, and keeps those that there are if it cannot.
func (j *jwks) refresh() {
	keys, err := j.fetch()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fetching = false
	if err == nil {
		j.keys, j.fetched = keys, j.now()
	}
}

// fetch asks the URL.
func (j *jwks) fetch() (keyfunc.Keyfunc, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, j.url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := j.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet+1))
	switch {
	case err != nil:
		return nil, err
	case response.StatusCode != http.StatusOK || len(body) > maxKeySet:
		return nil, errors.New("token: no key set came")
	}
	keys, err := keyfunc.NewJWKSetJSON(body)
	if err != nil {
		return nil, err
	}
	all, err := keys.Storage().KeyReadAll(ctx)
	if err != nil || len(all) == 0 || len(all) > maxKeys {
		return nil, errors.New("token: the key set has no keys, or too many")
	}
	return keys, nil
}
