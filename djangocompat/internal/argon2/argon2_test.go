package argon2_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	library "golang.org/x/crypto/argon2"

	"github.com/belleville/belleville/djangocompat/internal/argon2"
)

// What the library computes, too, is the same.
func TestKeyIsTheLibrarysWhereItHasOne(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		p := argon2.Params{
			Version: argon2.Version19, Time: 1 + random.Uint32N(4), Lanes: 1 + random.Uint32N(5), Size: 4 + random.Uint32N(200),
		}
		p.Memory = 8*p.Lanes + random.Uint32N(700)
		password, salt := make([]byte, random.IntN(90)), make([]byte, 8+random.IntN(30))
		for i := range password {
			password[i] = byte(random.Uint32())
		}
		for variety, derive := range map[argon2.Variety]func(_, _ []byte, _, _ uint32, _ uint8, _ uint32) []byte{
			argon2.I: library.Key, argon2.ID: library.IDKey,
		} {
			p.Variety = variety
			want := derive(password, salt, p.Time, p.Memory, uint8(p.Lanes), p.Size)
			if got := p.Key(password, salt); !bytes.Equal(got, want) {
				t.Errorf("%+v: %x, want %x", p, got, want)
			}
		}
	}
}

func TestPauseIsCalled(t *testing.T) {
	paused := 0
	p := argon2.Params{Variety: argon2.D, Version: argon2.Version16, Time: 2, Memory: 64 * 8, Lanes: 2, Size: 16}
	quiet := p.Key([]byte("password"), []byte("saltsalt"))
	p.Pause = func() { paused++ }
	if got := p.Key([]byte("password"), []byte("saltsalt")); !bytes.Equal(got, quiet) || paused != 15 {
		t.Errorf("paused %d times and made %x, want 15 and %x", paused, got, quiet)
	}
}

func ExampleParams_Key() {
	p := argon2.Params{Variety: argon2.D, Version: argon2.Version19, Time: 3, Memory: 32, Lanes: 4, Size: 32}
	fmt.Println(len(p.Key([]byte("password"), []byte("saltsalt"))))
	// Output: 32
}

func BenchmarkKey(b *testing.B) {
	p := argon2.Params{Variety: argon2.D, Version: argon2.Version19, Time: 2, Memory: 10240, Lanes: 8, Size: 32}
	for b.Loop() {
		p.Key([]byte("password"), []byte("saltsalt"))
	}
}
