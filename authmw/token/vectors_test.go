package token_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"testing"
	"time"

	"github.com/belleville/belleville/authmw/token"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

// vectors are answers of Django REST framework and simplejwt.
type vectors struct {
	Configs map[string]jwtSettings `json:"configs"`
	Cases   []vector               `json:"cases"`
}

// jwtSettings is SIMPLE_JWT.
type jwtSettings struct {
	Algorithm         string   `json:"algorithm"`
	UserIDClaim       string   `json:"user_id_claim"`
	UserIDField       string   `json:"user_id_field"`
	TokenTypeClaim    *string  `json:"token_type_claim"`
	JTIClaim          *string  `json:"jti_claim"`
	Issuer            string   `json:"issuer"`
	Audience          string   `json:"audience"`
	Leeway            int      `json:"leeway"`
	AuthHeaderTypes   []string `json:"auth_header_types"`
	CheckRevokeToken  bool     `json:"check_revoke_token"`
	CheckUserIsActive bool     `json:"check_user_is_active"`
	SigningKey        string   `json:"signing_key"`
	VerifyingKey      string   `json:"verifying_key"`
}

// vector is one request and what Django made of it.
type vector struct {
	Name          string  `json:"name"`
	Authorization *string `json:"authorization"`
	Config        string  `json:"config"`
	Keyword       string  `json:"keyword"`
	Now           float64 `json:"now"`
	Expect        struct {
		User         int64  `json:"user"`
		NotAttempted bool   `json:"not_attempted"`
		Error        string `json:"error"`
	} `json:"expect"`
}

func (s jwtSettings) config(now float64) token.JWTConfig {
	named := func(claim *string) string {
		if claim == nil {
			return token.NoClaim
		}
		return *claim
	}
	whole, fraction := math.Modf(now)
	cfg := token.JWTConfig{
		Algorithm: s.Algorithm, UserIDField: s.UserIDField, UserIDClaim: s.UserIDClaim,
		TokenTypeClaim: named(s.TokenTypeClaim), JTIClaim: named(s.JTIClaim), Issuer: s.Issuer,
		Leeway: time.Duration(s.Leeway) * time.Second, CheckRevokeToken: s.CheckRevokeToken, AllowInactive: !s.CheckUserIsActive,
		Now: clock(time.Unix(int64(whole), int64(fraction*1e9))),
	}
	if s.Algorithm[:2] == "HS" {
		cfg.SigningKey = djangocompat.NewSecret(s.SigningKey)
	} else {
		cfg.VerifyingKey = s.VerifyingKey
	}
	if s.Audience != "" {
		cfg.Audience = []string{s.Audience}
	}
	return cfg
}

// scheme returns what Django used in a vector.
func (v vector) scheme(t *testing.T, b *bed, settings jwtSettings) token.Scheme {
	t.Helper()
	if v.Config == "" {
		s := token.Scheme{Name: "drf", Verifier: token.NewAuthToken(b.store, token.AuthTokenConfig{})}
		if v.Keyword != "" {
			s.Keywords = []string{v.Keyword}
		}
		return s
	}
	return token.Scheme{Name: "jwt", Verifier: b.newJWT(t, settings.config(v.Now)), Keywords: settings.AuthHeaderTypes}
}

// TestVectors checks that whom Django REST framework and simplejwt let in gets in, and nobody else: what they refuse,
// and what they trip over, is 401.
func TestVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/jwt_drf.json")
	if err != nil {
		t.Fatal(err)
	}
	var all vectors
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&all); err != nil {
		t.Fatal(err)
	}
	if len(all.Cases) != 607 {
		t.Fatalf("there are %d cases, want 607", len(all.Cases))
	}
	b := newBed(t)
	for _, v := range all.Cases {
		t.Run(v.Name, func(t *testing.T) {
			var s seen
			app := authenticator(t, token.Config{}, v.scheme(t, b, all.Configs[v.Config])).Wrap(s.app())
			scope := webSocket()
			if v.Authorization != nil {
				scope = webSocket(authorization(latin1(*v.Authorization)))
			}
			_, err := app.Open(t.Context(), scope)
			switch {
			case v.Expect.Error != "":
				wantUnauthorized(t, err)
			case err != nil:
				t.Errorf("Open: %v", err)
			case v.Expect.NotAttempted:
				if s.scope.User.IsAuthenticated() || token.Of(s.scope) != nil {
					t.Errorf("the visitor is %v, want anonymous", s.scope.User.PK)
				}
			default:
				if pk, _ := s.scope.User.PK.Int64(); pk != v.Expect.User || token.Of(s.scope) == nil {
					t.Errorf("the visitor is %v, want %d", s.scope.User.PK, v.Expect.User)
				}
			}
		})
	}
}

// latin1 returns a text as the bytes in which it stood in the request.
func latin1(text string) string {
	b := make([]byte, 0, len(text))
	for _, r := range text {
		b = append(b, byte(r))
	}
	return string(b)
}

// wantUnauthorized checks that an error is 401 with a challenge.
func wantUnauthorized(t *testing.T, err error) {
	t.Helper()
	denial, ok := errors.AsType[*consumers.Denial](err)
	if !ok || denial.Status != 401 || denial.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("Open: %v, want 401 and a challenge", err)
	}
}
