package djangocompat_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/belleville/belleville/djangocompat"
)

func ExampleSessionCodec() {
	codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys("the site's SECRET_KEY")}
	var empty djangocompat.SessionData
	d, err := empty.With("cart", []any{7, "é"})
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := codec.Encode(d) // what stands in django_session.session_data
	if err != nil {
		fmt.Println(err)
		return
	}
	again, err := codec.Decode(text)
	fmt.Printf("%s %v\n", again.JSON(), err)

	_, err = codec.Decode(text + "x")
	fmt.Println(errors.Is(err, djangocompat.ErrBadSignature))
	// Output:
	// {"cart":[7,"\u00e9"]} <nil>
	// true
}

func ExampleSession() {
	d, err := djangocompat.ParseSessionData([]byte(`{"_auth_user_id": "7", "theme": "dark"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	s := djangocompat.NewSession("04jpgvsojt4pltq00ysyvnwhmad7rnc2", d, nil)
	id, _ := s.GetString(djangocompat.AuthUserIDKey)
	s.Set("visits", 1)
	s.Delete("theme")
	fmt.Println(id, s.Modified(), string(s.Data().JSON()))
	// Output: 7 true {"_auth_user_id":"7","visits":1}
}

func ExampleDumps() {
	keys := djangocompat.NewKeys("the site's SECRET_KEY")
	link, err := djangocompat.Dumps(keys, map[string]any{"order": 7}, djangocompat.Plain, djangocompat.SignerConfig{Salt: "receipts"})
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := djangocompat.LoadsMaxAge(keys, link, time.Hour, djangocompat.SignerConfig{Salt: "receipts"})
	fmt.Println(v, err)
	// Output: map[order:7] <nil>
}

func ExampleNewSigner() {
	s, err := djangocompat.NewSigner(djangocompat.NewKeys("k"), djangocompat.SignerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Unsign(s.Sign("hello")))
	// Output: hello <nil>
}

func ExampleNewTimestampSigner() {
	s, err := djangocompat.NewTimestampSigner(djangocompat.NewKeys("k"), djangocompat.SignerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.UnsignMaxAge(s.Sign("hello"), time.Minute))
	// Output: hello <nil>
}

func ExampleVerifySessionAuthHash() {
	before, after := djangocompat.NewKeys("old"), djangocompat.NewKeys("new", "old")
	const encoded = "pbkdf2_sha256$1000000$salt$hash" // auth_user.password
	hash := djangocompat.SessionAuthHash(before, encoded)
	fmt.Println(djangocompat.VerifySessionAuthHash(after, encoded, hash) == djangocompat.HashFallback)
	// Output: true
}

func ExampleCookieValue() {
	fmt.Println(djangocompat.CookieValue(`theme=dark; sessionid=old; sessionid="new"`, "sessionid"))
	// Output: new true
}

func ExampleCookie() {
	c := djangocompat.Cookie{Name: "sessionid", Value: "04jpgvsojt4pltq0", Path: "/", SameSite: "Lax", HTTPOnly: true}
	fmt.Println(c.WithMaxAge(time.Minute, time.Unix(0, 0)).Header())
	// Output: sessionid=04jpgvsojt4pltq0; expires=Thu, 01 Jan 1970 00:01:00 GMT; HttpOnly; Max-Age=60; Path=/; SameSite=Lax <nil>
}

func ExampleHostAllowed() {
	domain, port := djangocompat.SplitDomainPort("Chat.Example.com:8001")
	fmt.Println(domain, port, djangocompat.HostAllowed(domain, []string{".example.com"}))
	// Output: chat.example.com 8001 true
}

func ExampleCheckPassword() {
	encoded := djangocompat.HashPassword("letmein", djangocompat.PasswordConfig{Iterations: 1000})
	fmt.Println(djangocompat.CheckPassword("letmein", encoded))
	// Output: true <nil>
}

func ExampleParseIntPK() {
	fmt.Println(djangocompat.ParseIntPK(" 6_59 "))
	// Output: 659 <nil>
}

func ExamplePasswordHashers() {
	hashers, err := djangocompat.NewPasswordHashers(djangocompat.HasherConfig{
		Hashers: []string{ // PASSWORD_HASHERS
			"django.contrib.auth.hashers.ScryptPasswordHasher",
			"django.contrib.auth.hashers.MD5PasswordHasher",
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	verdict, err := hashers.Check("letmein-krzivf", "md5$abc$18794cd6072c60a2ead2f83e1d1d7688")
	fmt.Println(verdict == djangocompat.PasswordOutdated, err) // right: now store hashers.Hash("letmein-krzivf")
	// Output: true <nil>
}

func ExampleNewCSRF() {
	csrf, err := djangocompat.NewCSRF(djangocompat.CSRFConfig{
		Hosts:          djangocompat.HostSettings{AllowedHosts: []string{"example.com"}},
		TrustedOrigins: []string{"https://*.example.com"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	page := csrf.Token(nil) // a form's csrfmiddlewaretoken, and the cookie that goes with it
	host, evil := "example.com", "https://evil.example"
	r := djangocompat.CSRFRequest{
		Method: "POST", Host: djangocompat.HostRequest{Host: &host, Secure: true}, Origin: &evil,
		Secret: &page.Store, FormToken: page.Form,
	}
	fmt.Println(csrf.Check(r))
	own := "https://example.com"
	r.Origin = &own
	fmt.Println(csrf.Check(r))
	// Output:
	// djangocompat: CSRF check: origin is not trusted
	// <nil>
}

func ExampleSafeRedirect() {
	fmt.Println(djangocompat.SafeRedirect("/chat/?room=7", djangocompat.RedirectConfig{}))
	fmt.Println(djangocompat.SafeRedirect(`/\evil.example`, djangocompat.RedirectConfig{}))
	// Output:
	// true
	// false
}
