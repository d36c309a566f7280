package djangocompat

import (
	"strings"
	"testing"
)

func TestCompactIsTheSameData(t *testing.T) {
	digest := strings.Repeat("0123456789abcdef", 4)
	login := `{"_auth_user_id":"844","_auth_user_backend":"django.contrib.auth.backends.ModelBackend","_auth_user_hash":"` + digest + `"}`
	tests := []struct {
		name, text string
		most       int // bytes that it takes packed
	}{
		{"a login", login, 48},
		{"a login by another backend", strings.Replace(login, "django.contrib.auth.backends.Model", "ldap.", 1), 64},
		{"a hash that is shorter", strings.Replace(login, digest, "0123", 1), 48},
		{"a hash in capital letters", strings.Replace(login, digest, strings.ToUpper(digest), 1), 112},
		{"a login and more", login[:len(login)-1] + `,"cart":[1,2,{"_auth_user_id":"x"}],"é":"_auth_user_hash"}`, 112},
		{"phrases in a text", `{"a":"\"_auth_user_id\":\""}`, 32},
		{"nothing that is known", `{"a":1}`, 16},
		{"nothing", `{}`, 16},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ParseSessionData([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			c := d.Compact()
			if !c.Equal(d) || string(c.JSON()) != string(d.JSON()) || c.Len() != d.Len() {
				t.Errorf("Compact is %s, want %s", c.JSON(), d.JSON())
			}
			for key := range d.Keys() {
				got, _ := c.RawJSON(key)
				if want, _ := d.RawJSON(key); got != want {
					t.Errorf("%q is %s, want %s", key, got, want)
				}
			}
			if c.dict != nil && len(c.dict.text) > tt.most {
				t.Errorf("it takes %d bytes, want %d at most", len(c.dict.text), tt.most)
			}
			changed, err := c.With("b", "2")
			if want, wantErr := d.With("b", "2"); err != nil || wantErr != nil || !changed.Equal(want) {
				t.Errorf("changed it is %s, %v, want %s", changed.JSON(), err, want.JSON())
			}
		})
	}
}

// FuzzPack checks that every ASCII text can be had back.
func FuzzPack(f *testing.F) {
	f.Add(`{"_auth_user_id":"1","_auth_user_backend":"django.contrib.auth.backends.ModelBackend","_auth_user_hash":"` + strings.Repeat("ab", 32) + `"}`)
	f.Add(`"_auth_user_backend":""_auth_user_hash":"` + strings.Repeat("0", 63))
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.Map(func(r rune) rune { return r & 0x7f }, text)
		if got := unpack(pack(text)); got != text {
			t.Errorf("%q comes back as %q", text, got)
		}
	})
}
